import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** A line in: the moment, then hex(name)=hex(value) of each header. A line out: what the drop-in makes of it. */
class RunVectors {
    public static void main(String[] arguments) throws Exception {
        Map<String, byte[]> secrets = new HashMap<>();
        secrets.put("new", "the new secret of the site".getBytes(StandardCharsets.UTF_8));
        secrets.put("old", "the old secret of the site".getBytes(StandardCharsets.UTF_8));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.trim().split(" ");
            Map<String, String> headers = new HashMap<>();
            for (int i = 1; i < words.length; i++) {
                String[] pair = words[i].split("=", -1);
                headers.put(text(pair[0]).toLowerCase(), text(pair[1]));
            }
            try {
                SeckillPurchase found = SeckillPurchase.read(
                        name -> headers.get(name.toLowerCase()), secrets, Long.parseLong(words[0]));
                System.out.println("ok " + found.order + " " + found.item + " " + hex(found.buyer) + " " + found.quantity);
            } catch (SeckillPurchase.Unsigned error) {
                System.out.println("unsigned " + error.getMessage());
            }
        }
    }

    private static String text(String hex) {
        byte[] bytes = new byte[hex.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    private static String hex(String text) {
        StringBuilder hex = new StringBuilder();
        for (byte part : text.getBytes(StandardCharsets.UTF_8)) {
            hex.append(String.format("%02x", part));
        }
        return hex.toString();
    }
}
