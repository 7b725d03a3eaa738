-- The writer's own tables. SQLite keeps whatever type it is given, so each column checks its own.

-- One row an order, as folded from its events. Text compares byte for byte by default.
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
    CONSTRAINT seckill_orders_seq UNIQUE (item, epoch, seq)
);

-- One row an item and epoch: the bound that no writer can pass, whatever Redis said.
CREATE TABLE IF NOT EXISTS seckill_items (
    item  text    NOT NULL CHECK (typeof(item) = 'text'),
    epoch integer NOT NULL CHECK (typeof(epoch) = 'integer'),
    total integer NOT NULL CHECK (typeof(total) = 'integer'),
    held  integer NOT NULL CHECK (typeof(held) = 'integer'),
    paid  integer NOT NULL CHECK (typeof(paid) = 'integer'),
    events integer NOT NULL CHECK (typeof(events) = 'integer'),
    PRIMARY KEY (item, epoch),
    CONSTRAINT seckill_items_bound CHECK (held >= 0 AND paid >= 0 AND held + paid <= total)
);

-- Messages that could not be written, with their reason, until an operator retries or refunds them.
CREATE TABLE IF NOT EXISTS seckill_parked (
    id          integer PRIMARY KEY AUTOINCREMENT,
    message_id  text    NOT NULL CHECK (typeof(message_id) = 'text'),
    body_sha256 text    NOT NULL,
    reason      text    NOT NULL,
    body        blob    NOT NULL CHECK (typeof(body) = 'blob'),
    at_ms       integer NOT NULL CHECK (typeof(at_ms) = 'integer'),
    CONSTRAINT seckill_parked_once UNIQUE (message_id, body_sha256)
);
