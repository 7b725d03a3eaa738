<?php

// A line in: the moment, then hex(name)=hex(value) of each header. A line out: what the drop-in makes of it.

declare(strict_types=1);

require __DIR__ . '/../../contrib/verify/seckill_purchase.php';

$secrets = ['new' => 'the new secret of the site', 'old' => 'the old secret of the site'];
while (($line = fgets(STDIN)) !== false) {
    $words = explode(' ', trim($line));
    $server = [];
    foreach (array_slice($words, 1) as $word) {
        [$name, $value] = array_map('hex2bin', explode('=', $word));
        $server['HTTP_' . strtoupper(strtr($name, '-', '_'))] = $value;
    }
    try {
        $found = Seckill\read_purchase($server, $secrets, (int) $words[0]);
        echo implode(' ', ['ok', $found->order, $found->item, bin2hex($found->buyer), $found->quantity]), "\n";
    } catch (Seckill\Unsigned $error) {
        echo 'unsigned ', $error->getMessage(), "\n";
    }
}
