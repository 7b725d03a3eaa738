-- The writer's own tables. Every statement may be run again: MySQL commits each by itself, so a crash in between leaves
-- a file half applied.

-- One row an order, as folded from its events. The buyer is kept exactly: case, accents and all. Six columns are
-- its events' places in the item's chain (null until they have come): with them both can be told again, as they were.
-- The last is the buyer's own word for the purchase, if there was one: a rebuilt ledger knows a purchase sent again by it.
CREATE TABLE IF NOT EXISTS seckill_orders (
    order_id       varchar(96)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    item           varchar(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    epoch          bigint       NOT NULL,
    seq            bigint       NOT NULL,
    buyer          varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    quantity       bigint       NOT NULL,
    state          varchar(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    event_no       bigint       NOT NULL,
    accepted_at_ms bigint       NOT NULL,
    due_at_ms      bigint       NOT NULL,
    reason         text         CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    updated_at_ms  bigint       NOT NULL,
    accepted_chain bigint       NULL,
    accepted_prev  char(40)     CHARACTER SET ascii COLLATE ascii_bin NULL,
    accepted_total bigint       NULL,
    settled_chain  bigint       NULL,
    settled_prev   char(40)     CHARACTER SET ascii COLLATE ascii_bin NULL,
    settled_total  bigint       NULL,
    idempotency_key varchar(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    PRIMARY KEY (order_id),
    UNIQUE KEY seckill_orders_seq (item, epoch, seq),
    KEY seckill_orders_settled (item, epoch, settled_chain),
    CONSTRAINT seckill_orders_state CHECK (state IN ('held', 'paid', 'cancelled', 'expired')),
    CONSTRAINT seckill_orders_quantity CHECK (quantity > 0)
) ENGINE = InnoDB;

-- One row an item and epoch: the bound that no writer can pass, whatever Redis said. A rebuild ends an
-- epoch by another that takes over all its orders; their numbers are those up to "carried", and stay.
CREATE TABLE IF NOT EXISTS seckill_items (
    item  varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    epoch bigint      NOT NULL,
    total bigint      NOT NULL,
    held  bigint      NOT NULL,
    paid  bigint      NOT NULL,
    events bigint     NOT NULL,
    carried bigint    NOT NULL DEFAULT 0,
    succeeded_by bigint NULL,
    PRIMARY KEY (item, epoch),
    CONSTRAINT seckill_items_bound CHECK (held >= 0 AND paid >= 0 AND held + paid <= total)
) ENGINE = InnoDB;

-- Messages that could not be written, with their reason, until an operator retries or refunds them; and payments that
-- came too late. What a readable one is about stands in columns of its own.
CREATE TABLE IF NOT EXISTS seckill_parked (
    id             bigint       NOT NULL AUTO_INCREMENT,
    message_id     varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    body_sha256    char(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    order_id       varchar(96)  CHARACTER SET ascii COLLATE ascii_bin NULL,
    item           varchar(64)  CHARACTER SET ascii COLLATE ascii_bin NULL,
    epoch          bigint       NULL,
    chain          bigint       NULL,
    event          varchar(16)  CHARACTER SET ascii COLLATE ascii_bin NULL,
    state          varchar(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    reason         text         CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    body           mediumblob   NOT NULL,
    at_ms          bigint       NOT NULL,
    resolved_at_ms bigint       NULL,
    PRIMARY KEY (id),
    UNIQUE KEY seckill_parked_once (message_id, body_sha256),
    KEY seckill_parked_order (order_id),
    KEY seckill_parked_chain (item, epoch, chain),
    CONSTRAINT seckill_parked_state CHECK (state IN ('parked', 'late_payment', 'retried', 'refunded'))
) ENGINE = InnoDB;
