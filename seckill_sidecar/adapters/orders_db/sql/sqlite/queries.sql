-- Every statement that the program sends to SQLite. Each begins with its name; :parameters are the program's.

-- name: known_orders
-- The rows of these orders. BEGIN IMMEDIATE keeps other writers out until the transaction ends. Of their links, the first
-- tells whether the accepted event has come; the others are not needed to write.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms,
    accepted_chain
FROM seckill_orders
WHERE order_id IN (SELECT value FROM json_each(:order_ids));

-- name: parked_of_orders
-- What is parked of these orders.
SELECT order_id, message_id, state, event
FROM seckill_parked
WHERE order_id IN (SELECT value FROM json_each(:order_ids));

-- name: insert_held
-- New rows of orders of which nothing but the accepted event has come: most of them, and with the fewest parameters.
-- A known id is an error, not ignored: another writer was quicker, so look again.
INSERT INTO seckill_orders
    (order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms,
    accepted_chain, accepted_prev, accepted_total, idempotency_key)
VALUES (:order_id, :item, :epoch, :seq, :buyer, :quantity, :state, :event_no, :accepted_at_ms, :due_at_ms, :reason,
    :accepted_at_ms, :accepted_chain, :accepted_prev, :accepted_total, :idempotency_key);

-- name: insert_orders
-- All other new rows.
INSERT INTO seckill_orders
    (order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms,
    accepted_chain, accepted_prev, accepted_total, settled_chain, settled_prev, settled_total, idempotency_key)
VALUES (:order_id, :item, :epoch, :seq, :buyer, :quantity, :state, :event_no, :accepted_at_ms, :due_at_ms, :reason,
    :updated_at_ms, :accepted_chain, :accepted_prev, :accepted_total, :settled_chain, :settled_prev, :settled_total,
    :idempotency_key);

-- name: update_orders
-- Rows that known_orders found.
UPDATE seckill_orders
SET state = :state, event_no = :event_no, due_at_ms = :due_at_ms, reason = :reason, updated_at_ms = :updated_at_ms,
    settled_chain = :settled_chain, settled_prev = :settled_prev, settled_total = :settled_total
WHERE order_id = :order_id;

-- name: complete_orders
-- Rows whose accepted event came after the one that settled them.
UPDATE seckill_orders
SET accepted_chain = :accepted_chain, accepted_prev = :accepted_prev, accepted_total = :accepted_total,
    idempotency_key = :idempotency_key
WHERE order_id = :order_id;

-- name: raise_totals
-- The item rows of a batch: made if missing; a total only grows, as units are only ever added to an epoch. One that a
-- rebuild has ended stays as that left it, without a unit: what still comes of it fits nowhere, and is parked.
INSERT INTO seckill_items (item, epoch, total, held, paid, events)
VALUES (:item, :epoch, :total, 0, 0, :events)
ON CONFLICT (item, epoch) DO UPDATE SET total = max(total, excluded.total), events = max(events, excluded.events)
WHERE succeeded_by IS NULL;

-- name: move_units
-- Apart from raise_totals, since an inserted row with a negative number would break the CHECK before it is merged.
UPDATE seckill_items SET held = held + :held, paid = paid + :paid WHERE item = :item AND epoch = :epoch;

-- name: park
-- A message, once.
INSERT INTO seckill_parked
    (message_id, body_sha256, order_id, item, epoch, chain, event, state, reason, body, at_ms, resolved_at_ms)
VALUES (:message_id, :body_sha256, :order_id, :item, :epoch, :chain, :event, :state, :reason, :body, :at_ms,
    :resolved_at_ms)
ON CONFLICT (message_id, body_sha256) DO NOTHING;

-- name: resolve_parked
-- One message that waited, dealt with.
UPDATE seckill_parked
SET state = :state, resolved_at_ms = :at_ms
WHERE id = :id AND state IN ('parked', 'late_payment');

-- name: refund_parked
-- All that waited of an order.
UPDATE seckill_parked
SET state = 'refunded', resolved_at_ms = :at_ms
WHERE order_id = :order_id AND state IN ('parked', 'late_payment');

-- name: explain_parked
-- Why it could not be written the last time.
UPDATE seckill_parked SET reason = :reason WHERE id = :id AND state = 'parked';

-- name: order
-- One order.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms
FROM seckill_orders
WHERE order_id = :order_id;

-- name: named_orders
-- The rows of these orders, as they stand.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms
FROM seckill_orders
WHERE order_id IN (SELECT value FROM json_each(:order_ids));

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
-- The orders of an item and epoch that have the next numbers.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms
FROM seckill_orders
WHERE item = :item AND epoch = :epoch AND seq >= :first AND seq < :first + :most
ORDER BY seq;

-- name: next_number
-- The number of the order after this one, or NULL.
SELECT MIN(seq) FROM seckill_orders WHERE item = :item AND epoch = :epoch AND seq > :seq;

-- name: next_epoch
-- The epoch after this one that has orders, or NULL.
SELECT MIN(epoch) FROM seckill_orders WHERE item = :item AND epoch > :epoch;

-- name: high_water
-- What the database has seen of an item: its last epoch, and the highest number in that epoch's chain of events.
SELECT epoch, events FROM seckill_items WHERE item = :item ORDER BY epoch DESC LIMIT 1;

-- name: parked_page
-- The next parked messages, oldest first.
SELECT id, message_id, reason, body, at_ms, order_id, state, resolved_at_ms
FROM seckill_parked
WHERE id > :id
ORDER BY id
LIMIT :most;

-- name: parked_counts
-- How many messages are in each state.
SELECT state, COUNT(*) FROM seckill_parked GROUP BY state;

-- name: parked_message
-- One parked message.
SELECT id, message_id, reason, body, at_ms, order_id, state, resolved_at_ms
FROM seckill_parked
WHERE id = :id;

-- name: accepted_page
-- The next accepted events of an epoch. Their numbers in the chain grow with those of their orders.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms,
    accepted_chain, accepted_prev, accepted_total
FROM seckill_orders
WHERE item = :item AND epoch = :epoch AND seq > :after AND accepted_chain > 0
ORDER BY seq
LIMIT :most;

-- name: settled_page
-- The next events of an epoch that settled an order.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms,
    accepted_chain, accepted_prev, accepted_total, settled_chain, settled_prev, settled_total
FROM seckill_orders
WHERE item = :item AND epoch = :epoch AND settled_chain > :after
ORDER BY settled_chain
LIMIT :most;

-- name: parked_events_page
-- The next events of an epoch that were parked; some of them may have been written since.
SELECT chain, body
FROM seckill_parked
WHERE item = :item AND epoch = :epoch AND chain > :after
ORDER BY chain, id
LIMIT :most;

-- name: last_accepted
-- The order of an epoch that was accepted last, of those whose accepted event is here.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms,
    accepted_chain, accepted_prev, accepted_total
FROM seckill_orders
WHERE item = :item AND epoch = :epoch AND accepted_chain > 0
ORDER BY seq DESC
LIMIT 1;

-- name: last_settled
-- The order of an epoch that was settled last.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms,
    accepted_chain, accepted_prev, accepted_total, settled_chain, settled_prev, settled_total
FROM seckill_orders
WHERE item = :item AND epoch = :epoch AND settled_chain > 0
ORDER BY settled_chain DESC
LIMIT 1;

-- name: last_parked_event
-- The last event of an epoch that was parked, up to a number.
SELECT chain, body
FROM seckill_parked
WHERE item = :item AND epoch = :epoch AND chain > 0 AND chain <= :last
ORDER BY chain DESC
LIMIT 1;

-- name: kept_page
-- The orders of an item and epoch that have the next numbers, with all that a ledger needs of them; see orders_page.
SELECT order_id, item, epoch, seq, buyer, quantity, state, event_no, accepted_at_ms, due_at_ms, reason, updated_at_ms,
    accepted_chain, accepted_prev, accepted_total, settled_chain, settled_prev, settled_total, idempotency_key
FROM seckill_orders
WHERE item = :item AND epoch = :epoch AND seq >= :first AND seq < :first + :most
ORDER BY seq;

-- name: late_payments
-- The orders of an item for which somebody paid too late.
SELECT DISTINCT order_id FROM seckill_parked WHERE item = :item AND event = 'late_payment';

-- name: waiting_orders
-- The orders of an item and epoch of which a message waits that would change a row.
SELECT DISTINCT order_id
FROM seckill_parked
WHERE item = :item AND epoch = :epoch AND state = 'parked'
ORDER BY order_id;

-- name: carry_orders
-- All orders of an epoch into another, each with its number.
UPDATE seckill_orders SET epoch = :successor WHERE item = :item AND epoch = :epoch;

-- name: end_epoch
-- Nothing is left in an epoch that another took over. The last of its events may be a parked one, which no row counts.
UPDATE seckill_items
SET total = 0, held = 0, paid = 0, succeeded_by = :successor, events = max(
    events,
    COALESCE((SELECT MAX(chain) FROM seckill_parked WHERE item = :item AND epoch = :epoch), 0)
)
WHERE item = :item AND epoch = :epoch;

-- name: begin_successor
-- The epoch that took it over, with all its units; its orders' numbers go on after :carried.
INSERT INTO seckill_items (item, epoch, total, held, paid, events, carried)
VALUES (:item, :epoch, :total, :held, :paid, :events, :carried);

-- name: predecessor
-- The epoch that this one took over, and how many events it had.
SELECT epoch, events FROM seckill_items WHERE item = :item AND succeeded_by = :epoch;

-- name: carried
-- The highest number of the orders that an epoch took over, 0 if it began anew.
SELECT carried FROM seckill_items WHERE item = :item AND epoch = :epoch;

-- name: last_number
-- The highest number of an order of an epoch.
SELECT MAX(seq) FROM seckill_orders WHERE item = :item AND epoch = :epoch;

-- name: last_event
-- The highest number in the chain of any event of an epoch that is here; it goes on with the chain of the epoch that it
-- took over, if it did.
SELECT MAX(last)
FROM (
    SELECT MAX(accepted_chain) AS last FROM seckill_orders WHERE item = :item AND epoch = :epoch
    UNION ALL
    SELECT MAX(settled_chain) FROM seckill_orders WHERE item = :item AND epoch = :epoch
    UNION ALL
    SELECT MAX(chain) FROM seckill_parked WHERE item = :item AND epoch = :epoch
    UNION ALL
    SELECT MAX(events) FROM seckill_items WHERE item = :item AND succeeded_by = :epoch
) AS lasts;

-- name: create_migrations
-- Which schema files were applied.
CREATE TABLE IF NOT EXISTS seckill_migrations (
    name          text    NOT NULL PRIMARY KEY,
    checksum      text    NOT NULL,
    applied_at_ms integer NOT NULL
);

-- name: applied
-- Names and checksums of the applied schema files.
SELECT name, checksum FROM seckill_migrations;

-- name: record_migration
-- One more schema file is applied.
INSERT INTO seckill_migrations (name, checksum, applied_at_ms) VALUES (:name, :checksum, :applied_at_ms);
