import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Receiver {
    static final byte[] SECRET =
        Base64.getDecoder().decode(System.getenv("ACME_HOOK").replaceFirst("^whsec_", ""));

    /** Whether the portal signed these very bytes, in the last five minutes. */
    static boolean verified(String id, String sentAt, String signatures, byte[] body)
            throws GeneralSecurityException {
        if (id == null || sentAt == null || signatures == null || !sentAt.matches("[0-9]{1,12}")
            || Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(sentAt)) > 300) {
            return false;
        }
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(SECRET, "HmacSHA256"));
        mac.update((id + "." + sentAt + ".").getBytes(StandardCharsets.UTF_8));
        byte[] want = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body)))
            .getBytes(StandardCharsets.UTF_8);
        boolean good = false;
        for (String signature : signatures.split(" ")) { // two while a secret is being replaced
            good |= MessageDigest.isEqual(want, signature.getBytes(StandardCharsets.UTF_8));
        }
        return good;
    }

    static void receive(HttpExchange request) throws IOException {
        try (request) {
            byte[] body = request.getRequestBody().readNBytes(65536);
            var headers = request.getRequestHeaders();
            String id = headers.getFirst("webhook-id");
            if (!verified(id, headers.getFirst("webhook-timestamp"), headers.getFirst("webhook-signature"), body)) {
                request.sendResponseHeaders(401, -1);
                return;
            }
            System.out.println(id + " " + new String(body, StandardCharsets.UTF_8));
            request.sendResponseHeaders(204, -1);
        } catch (GeneralSecurityException e) {
            throw new IOException(e);
        }
    }

    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 8090), 0);
        server.createContext("/hooks", Receiver::receive);
        server.start();
    }
}
