<?php

/*
 * Reads a purchase that seckill-sidecar has accepted and signed. Copy this file into the shop, and at the top of the
 * code that sells:
 *
 *     require 'seckill_purchase.php';
 *     try {
 *         $purchase = Seckill\read_purchase($_SERVER, ['2026-11' => getenv('SECKILL_KEY')], time());
 *     } catch (Seckill\Unsigned $error) {
 *         http_response_code(403);
 *         exit('This item is sold through the queue only.');
 *     }
 *
 * Sell what the purchase says ($purchase->item, $purchase->quantity), not what the form says. PHP 8.1 or later.
 */

declare(strict_types=1);

namespace Seckill;

/** Seconds for which a signed purchase is good; the two machines' clocks may differ by no more. */
const FRESH_FOR = 60;

/** This purchase did not come through the sidecar; the message says what is missing or wrong. */
final class Unsigned extends \RuntimeException
{
}

/** The buyer has the units; the shop only has to take note. */
final class Purchase
{
    public function __construct(
        public readonly string $order,
        public readonly string $item,
        public readonly string $buyer,
        public readonly int $quantity,
    ) {
    }
}

/**
 * @param array<string, mixed> $server the request's headers, as $_SERVER has them
 * @param array<string, string> $secrets the secret of each key id: the new one and, for a day, the one before
 * @param int $now seconds since 1970 UTC
 * @throws Unsigned unless a known key signed it a moment ago
 */
function read_purchase(array $server, array $secrets, int $now): Purchase
{
    $found = [];
    foreach (['ORDER', 'ITEM', 'BUYER', 'QUANTITY', 'TIME', 'KEY', 'SIGNATURE'] as $name) {
        $value = $server["HTTP_X_SECKILL_$name"] ?? '';
        if (!is_string($value) || !preg_match('/\A[\x21-\x7e]+\z/', $value)) {
            throw new Unsigned("no X-Seckill-$name");
        }
        $found[] = $value;
    }
    [$order, $item, $buyer, $quantity, $time, $key, $signature] = $found;
    $buyer = rawurldecode($buyer);
    if (!isset($secrets[$key])) {
        throw new Unsigned('unknown key');
    }
    $signed = implode("\n", ['v1', $order, $item, $buyer, $quantity, $time]);
    if (!hash_equals(hash_hmac('sha256', $signed, $secrets[$key]), $signature)) {
        throw new Unsigned('wrong signature');
    }
    if (
        !preg_match('/\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}~[0-9A-Z]{26}\z/', $order)
        || !preg_match('/\A[1-9][0-9]{0,15}\z/', $quantity)
        || !preg_match('/\A[1-9][0-9]{0,15}\z/', $time)
    ) {
        throw new Unsigned('malformed');
    }
    if (abs($now - (int) $time) > FRESH_FOR) {
        throw new Unsigned('too old');
    }
    return new Purchase($order, $item, $buyer, (int) $quantity);
}
