<?php
// Run it with: php -S 127.0.0.1:8090 receiver.php

/** Whether the portal signed these very bytes, in the last five minutes. */
function verified(string $body): bool
{
    $secret = base64_decode(preg_replace('/^whsec_/', '', getenv('ACME_HOOK')));
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $sentAt = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (!ctype_digit($sentAt) || abs(time() - (int) $sentAt) > 300) {
        return false;
    }
    $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$sentAt.$body", $secret, true));
    $good = false;
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $signature) {
        $good = hash_equals($want, $signature) || $good; // two while a secret is being replaced
    }
    return $good;
}

$body = file_get_contents('php://input', length: 65536);
if (!verified($body)) {
    http_response_code(401);
    exit('not signed by the portal');
}
error_log($_SERVER['HTTP_WEBHOOK_ID'] . ' ' . $body);
http_response_code(204);
