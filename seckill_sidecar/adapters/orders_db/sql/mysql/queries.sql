-- Every statement that the program sends to MySQL or MariaDB. Each begins with its name; :parameters are the program's.

-- name: known_orders
-- The rows of these orders, locked until the transaction ends.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms
FROM seckill_orders
WHERE order_id IN :order_ids
FOR UPDATE;

-- name: insert_orders
-- New rows. A known id is an error, not ignored: another writer was quicker, so look again.
INSERT INTO seckill_orders
    (order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms)
VALUES (:order_id, :item, :epoch, :seq, :buyer, :quantity, :state, :event_no, :accepted_at_ms, :due_at_ms, :reason,
    :updated_at_ms);

-- name: update_orders
-- Rows that known_orders found and locked, so each is updated and none inserted: an insert is what travels as many rows
-- in one statement.
INSERT INTO seckill_orders
    (order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms)
VALUES (:order_id, :item, :epoch, :seq, :buyer, :quantity, :state, :event_no, :accepted_at_ms, :due_at_ms, :reason,
    :updated_at_ms)
ON DUPLICATE KEY UPDATE
    state = VALUES(state), event_no = VALUES(event_no), due_at_ms = VALUES(due_at_ms), reason = VALUES(reason),
    updated_at_ms = VALUES(updated_at_ms);

-- name: raise_totals
-- The item rows of a batch: made if missing; a total only grows, as units are only ever added to an epoch.
INSERT INTO seckill_items (item, epoch, total, held, paid, events)
VALUES (:item, :epoch, :total, 0, 0, :events)
ON DUPLICATE KEY UPDATE total = GREATEST(total, VALUES(total)), events = GREATEST(events, VALUES(events));

-- name: move_units
-- Apart from raise_totals, since an inserted row with a negative number would break the CHECK before it is merged.
UPDATE seckill_items SET held = held + :held, paid = paid + :paid WHERE item = :item AND epoch = :epoch;

-- name: park
-- A message, once.
INSERT INTO seckill_parked (message_id, body_sha256, reason, body, at_ms)
VALUES (:message_id, :body_sha256, :reason, :body, :at_ms)
ON DUPLICATE KEY UPDATE id = id;

-- name: order
-- One order.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms
FROM seckill_orders
WHERE order_id = :order_id;

-- name: named_orders
-- The rows of these orders, as they stand.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms
FROM seckill_orders
WHERE order_id IN :order_ids;

-- name: items
-- All items of which there is a row or an order.
SELECT item FROM seckill_items UNION SELECT item FROM seckill_orders GROUP BY item;

-- name: units
-- One item's rows beside the sums over its orders, by epoch. In one statement, so that it sees one moment.
SELECT epoch, SUM(total), SUM(held), SUM(paid), SUM(orders), SUM(held_by_orders), SUM(paid_by_orders)
FROM (
    SELECT epoch, total, held, paid, 0 AS orders, 0 AS held_by_orders, 0 AS paid_by_orders
    FROM seckill_items
    WHERE item = :item
    UNION ALL
    SELECT epoch, 0, 0, 0, COUNT(*),
        SUM(CASE state WHEN 'held' THEN quantity ELSE 0 END),
        SUM(CASE state WHEN 'paid' THEN quantity ELSE 0 END)
    FROM seckill_orders
    WHERE item = :item
    GROUP BY epoch
) AS sums
GROUP BY epoch
ORDER BY epoch;

-- name: orders_page
-- The next orders of an item and epoch, by their unique key. Of one epoch, since no optimizer finds its way into the
-- middle of the key by (epoch, seq) > (:epoch, :seq): each page would read all that came before it.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms
FROM seckill_orders
WHERE item = :item AND epoch = :epoch AND seq > :seq
ORDER BY seq
LIMIT :most;

-- name: next_epoch
-- The epoch after this one that has orders, or NULL.
SELECT MIN(epoch) FROM seckill_orders WHERE item = :item AND epoch > :epoch;

-- name: high_water
-- What the database has seen of an item: its last epoch, and the highest number in that epoch's chain of events.
SELECT epoch, events FROM seckill_items WHERE item = :item ORDER BY epoch DESC LIMIT 1;

-- name: parked_page
-- The next parked messages, oldest first.
SELECT id, message_id, reason, body, at_ms FROM seckill_parked WHERE id > :id ORDER BY id LIMIT :most;

-- name: create_migrations
-- Which schema files were applied.
CREATE TABLE IF NOT EXISTS seckill_migrations (
    name          varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    checksum      char(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    applied_at_ms bigint      NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB;

-- name: applied
-- Names and checksums of the applied schema files.
SELECT name, checksum FROM seckill_migrations;

-- name: record_migration
-- One more schema file is applied.
INSERT INTO seckill_migrations (name, checksum, applied_at_ms) VALUES (:name, :checksum, :applied_at_ms);

