import java.io.IOException
import java.net.HttpURLConnection
import java.net.URI
import java.security.MessageDigest
import java.security.SecureRandom
import java.util.Base64
import org.json.JSONException
import org.json.JSONObject

/**
 * Takes one handoff from its link to the token. Make one for each link that
 * opens the app, and keep it until the end: it holds the verifier that a
 * repeated request needs. Nothing that passes through here belongs in a log.
 */
class HandoffClient(private val portal: String = "https://link.example.com") {
    /** A refusal: application/problem+json. */
    class Problem(val code: String, val reason: String?) : Exception(code)

    class Claim(val claimId: String, val number: String?, val interval: Long, val context: JSONObject)

    class Token(answer: JSONObject) {
        val endUserToken: String? = answer.text("endUserToken") // or
        val connectToken: String? = answer.text("connectToken") // with exchange: app
        val expiresIn = answer.getLong("expiresIn")
        val instanceId: String = answer.getString("instanceId")
        val platformUrl: String = answer.getString("platformUrl")
        val journeyUrl: String? = answer.text("journeyUrl")
        val reportUrl: String = answer.getString("reportUrl")
        val returnUrl: String? = answer.text("returnUrl")
    }

    sealed class Link {
        class Code(val url: String) : Link()
        class Pickup(val pickup: String) : Link()
    }

    private val verifier = base64url(ByteArray(32).also { SecureRandom().nextBytes(it) })

    /** What a link is for, or null if it is not one of ours. */
    fun link(url: String, partner: String): Link? {
        val path = url.substringBefore('?').substringBefore('#').removePrefix("$portal/")
        val parts = path.split('/') // c, acme, …
        if (path == url || parts.size != 3 || parts[1] != partner) return null
        return when (parts[0]) {
            "c" -> Link.Code(url)
            "a" -> if (parts[2] == "connect") null else Link.Pickup(parts[2])
            else -> null
        }
    }

    /** Claims a code: at once, before any login. deviceId is random, kept with the app, 16 to 64 characters. */
    fun claim(code: String, deviceId: String): Claim {
        val challenge = base64url(MessageDigest.getInstance("SHA-256").digest(verifier.toByteArray()))
        val device = JSONObject().put("deviceId", deviceId).put("deviceType", "mobile")
        val body = JSONObject().put("code", code).put("codeChallenge", challenge).put("deviceInfo", device)
        val answer = post("$portal/v1/claims", body)
        return Claim(
            answer.getString("claimId"), answer.text("number"),
            answer.getLong("interval"), answer.getJSONObject("context"),
        )
    }

    /** Waits for the token. Call it once the person has agreed; it goes on asking until the number has been typed. */
    fun token(claim: Claim): Token {
        while (true) {
            try {
                return Token(post("$portal/v1/claims/${claim.claimId}/token", JSONObject().put("codeVerifier", verifier)))
            } catch (problem: Problem) {
                if (problem.code != "not_confirmed") throw problem
            }
            Thread.sleep(1000 * maxOf(1, claim.interval))
        }
    }

    /** "This wasn't me." */
    fun reject(claim: Claim) {
        post("$portal/v1/claims/${claim.claimId}/reject", JSONObject().put("codeVerifier", verifier))
    }

    fun pickUp(pickup: String): Token =
        Token(post("$portal/v1/pickups", JSONObject().put("pickup", pickup).put("verifier", verifier)))

    /** event is started, left, failed or finished. */
    fun report(event: String, token: Token) {
        post(token.reportUrl, JSONObject().put("event", event))
    }

    /** Sends it again when the network fails or the portal is busy: every call may be repeated with the same values. */
    private fun post(url: String, body: JSONObject): JSONObject {
        var attempt = 1
        while (true) {
            var wait = 500L shl attempt // 1, 2, 4, 8, 16 seconds
            try {
                val connection = URI(url).toURL().openConnection() as HttpURLConnection
                connection.instanceFollowRedirects = false
                connection.connectTimeout = 15_000
                connection.readTimeout = 15_000
                connection.requestMethod = "POST"
                connection.setRequestProperty("Content-Type", "application/json")
                connection.doOutput = true
                connection.outputStream.use { it.write(body.toString().toByteArray()) }
                val status = connection.responseCode
                val stream = if (status < 400) connection.inputStream else connection.errorStream
                val text = stream?.bufferedReader()?.use { it.readText() }.orEmpty()
                if (status in 200..299) return if (text.isEmpty()) JSONObject() else JSONObject(text)
                if (attempt == 6 || status !in listOf(429, 502, 503, 504)) throw problem(text)
                wait = maxOf(wait, 1000 * (connection.getHeaderField("Retry-After")?.toLongOrNull() ?: 0))
            } catch (lost: IOException) {
                if (attempt == 6) throw lost
            }
            Thread.sleep(wait)
            attempt++
        }
    }

    private fun problem(text: String): Problem = try {
        JSONObject(text).let { Problem(it.getString("code"), it.text("reason")) }
    } catch (notOurs: JSONException) {
        Problem("internal", null)
    }
}

private fun base64url(bytes: ByteArray): String = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes)

private fun JSONObject.text(name: String): String? = if (isNull(name)) null else getString(name)
