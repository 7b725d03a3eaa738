-- The writer's own tables. SQLite keeps whatever type it is given, so each column checks its own.

-- One row an order, as folded from its events. Text compares byte for byte by default. Six columns are its events'
-- places in the item's chain (null until they have come): with them both can be told again, as they were. The last is
-- the buyer's own word for the purchase, if there was one: a rebuilt ledger knows a purchase sent again by it.
CREATE TABLE IF NOT EXISTS seckill_orders (
    order_id       text    NOT NULL PRIMARY KEY CHECK (typeof(order_id) = 'text' AND length(order_id) <= 96),
    item           text    NOT NULL CHECK (typeof(item) = 'text' AND length(item) <= 64),
    epoch          integer NOT NULL CHECK (typeof(epoch) = 'integer'),
    seq            integer NOT NULL CHECK (typeof(seq) = 'integer'),
    buyer          text    NOT NULL CHECK (typeof(buyer) = 'text' AND length(buyer) <= 255),
    quantity       integer NOT NULL CHECK (typeof(quantity) = 'integer' AND quantity > 0),
    state          text    NOT NULL CHECK (state IN ('held', 'paid', 'cancelled', 'expired')),
    event_no       integer NOT NULL CHECK (typeof(event_no) = 'integer'),
    accepted_at_ms integer NOT NULL CHECK (typeof(accepted_at_ms) = 'integer'),
    due_at_ms      integer NOT NULL CHECK (typeof(due_at_ms) = 'integer'),
    reason         text    NOT NULL CHECK (typeof(reason) = 'text'),
    updated_at_ms  integer NOT NULL CHECK (typeof(updated_at_ms) = 'integer'),
    accepted_chain integer CHECK (typeof(accepted_chain) IN ('integer', 'null')),
    accepted_prev  text    CHECK (typeof(accepted_prev) IN ('text', 'null') AND length(accepted_prev) <= 40),
    accepted_total integer CHECK (typeof(accepted_total) IN ('integer', 'null')),
    settled_chain  integer CHECK (typeof(settled_chain) IN ('integer', 'null')),
    settled_prev   text    CHECK (typeof(settled_prev) IN ('text', 'null') AND length(settled_prev) <= 40),
    settled_total  integer CHECK (typeof(settled_total) IN ('integer', 'null')),
    idempotency_key text   CHECK (typeof(idempotency_key) IN ('text', 'null') AND length(idempotency_key) <= 255),
    CONSTRAINT seckill_orders_seq UNIQUE (item, epoch, seq)
);
CREATE INDEX IF NOT EXISTS seckill_orders_settled ON seckill_orders (item, epoch, settled_chain);

-- One row an item and epoch: the bound that no writer can pass, whatever Redis said. A rebuild ends an
-- epoch by another that takes over all its orders; their numbers are those up to "carried", and stay.
CREATE TABLE IF NOT EXISTS seckill_items (
    item  text    NOT NULL CHECK (typeof(item) = 'text'),
    epoch integer NOT NULL CHECK (typeof(epoch) = 'integer'),
    total integer NOT NULL CHECK (typeof(total) = 'integer'),
    held  integer NOT NULL CHECK (typeof(held) = 'integer'),
    paid  integer NOT NULL CHECK (typeof(paid) = 'integer'),
    events integer NOT NULL CHECK (typeof(events) = 'integer'),
    carried integer NOT NULL DEFAULT 0 CHECK (typeof(carried) = 'integer'),
    succeeded_by integer CHECK (typeof(succeeded_by) IN ('integer', 'null')),
    PRIMARY KEY (item, epoch),
    CONSTRAINT seckill_items_bound CHECK (held >= 0 AND paid >= 0 AND held + paid <= total)
);

-- Messages that could not be written, with their reason, until an operator retries or refunds them; and payments that
-- came too late. What a readable one is about stands in columns of its own.
CREATE TABLE IF NOT EXISTS seckill_parked (
    id             integer PRIMARY KEY AUTOINCREMENT,
    message_id     text    NOT NULL CHECK (typeof(message_id) = 'text'),
    body_sha256    text    NOT NULL,
    order_id       text    CHECK (typeof(order_id) IN ('text', 'null')),
    item           text    CHECK (typeof(item) IN ('text', 'null')),
    epoch          integer CHECK (typeof(epoch) IN ('integer', 'null')),
    chain          integer CHECK (typeof(chain) IN ('integer', 'null')),
    event          text    CHECK (typeof(event) IN ('text', 'null')),
    state          text    NOT NULL CHECK (state IN ('parked', 'late_payment', 'retried', 'refunded')),
    reason         text    NOT NULL,
    body           blob    NOT NULL CHECK (typeof(body) = 'blob'),
    at_ms          integer NOT NULL CHECK (typeof(at_ms) = 'integer'),
    resolved_at_ms integer CHECK (typeof(resolved_at_ms) IN ('integer', 'null')),
    CONSTRAINT seckill_parked_once UNIQUE (message_id, body_sha256)
);
CREATE INDEX IF NOT EXISTS seckill_parked_order ON seckill_parked (order_id);
CREATE INDEX IF NOT EXISTS seckill_parked_chain ON seckill_parked (item, epoch, chain);
