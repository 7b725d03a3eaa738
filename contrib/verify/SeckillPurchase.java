import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Map;
import java.util.function.UnaryOperator;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A purchase that seckill-sidecar has accepted and signed: the buyer has the units, the shop only has to take note. Copy
 * this file into the shop, and where it sells:
 *
 * <pre>
 * SeckillPurchase purchase = SeckillPurchase.read(request::getHeader, secrets, System.currentTimeMillis() / 1000);
 * </pre>
 *
 * Answer 403 to {@link Unsigned}. Sell what the purchase says, not what the form says. Java 11 or later.
 */
public final class SeckillPurchase {
    /** Seconds for which a signed purchase is good; the two machines' clocks may differ by no more. */
    private static final long FRESH_FOR = 60;

    public final String order;
    public final String item;
    public final String buyer;
    public final long quantity;

    private SeckillPurchase(String order, String item, String buyer, long quantity) {
        this.order = order;
        this.item = item;
        this.buyer = buyer;
        this.quantity = quantity;
    }

    /** This purchase did not come through the sidecar; the message says what is missing or wrong. */
    public static final class Unsigned extends Exception {
        Unsigned(String message) {
            super(message);
        }
    }

    /**
     * @param header looks up one request header by name; null if the request has none
     * @param secrets the secret of each key id: the new one and, for a day, the one before
     * @param now seconds since 1970 UTC
     * @throws Unsigned unless a known key signed it a moment ago
     */
    public static SeckillPurchase read(UnaryOperator<String> header, Map<String, byte[]> secrets, long now)
            throws Unsigned {
        String order = value(header, "Order");
        String item = value(header, "Item");
        String buyer = decoded(value(header, "Buyer"));
        String quantity = value(header, "Quantity");
        String time = value(header, "Time");
        byte[] secret = secrets.get(value(header, "Key"));
        String signature = value(header, "Signature");
        if (secret == null) {
            throw new Unsigned("unknown key");
        }
        String signed = String.join("\n", "v1", order, item, buyer, quantity, time);
        if (!MessageDigest.isEqual(ascii(hmac(secret, signed)), ascii(signature))) {
            throw new Unsigned("wrong signature");
        }
        if (!order.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,63}~[0-9A-Z]{26}")
                || !quantity.matches("[1-9][0-9]{0,15}")
                || !time.matches("[1-9][0-9]{0,15}")) {
            throw new Unsigned("malformed");
        }
        if (Math.abs(now - Long.parseLong(time)) > FRESH_FOR) {
            throw new Unsigned("too old");
        }
        return new SeckillPurchase(order, item, buyer, Long.parseLong(quantity));
    }

    private static String value(UnaryOperator<String> header, String name) throws Unsigned {
        String value = header.apply("X-Seckill-" + name);
        if (value == null || !value.matches("[\\x21-\\x7e]+")) {
            throw new Unsigned("no X-Seckill-" + name);
        }
        return value;
    }

    private static String decoded(String value) throws Unsigned {
        try {
            // URLDecoder would take + for a blank.
            return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException error) {
            throw new Unsigned("malformed");
        }
    }

    private static String hmac(byte[] secret, String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            StringBuilder hex = new StringBuilder(64);
            for (byte part : mac.doFinal(text.getBytes(StandardCharsets.UTF_8))) {
                hex.append(String.format("%02x", part));
            }
            return hex.toString();
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
