import CryptoKit
import Foundation

/// Takes one handoff from its link to the token. Make one for each link that
/// opens the app, and keep it until the end: it holds the verifier that a
/// repeated request needs. Nothing that passes through here belongs in a log.
struct HandoffClient {
    static let portal = URL(string: "https://link.example.com")!
    static let pages = URL(string: "https://go.example.com")! // an App Clip is opened from these too
    static let partner = "acme" // your partner id

    enum Link {
        case code(URL)
        case pickup(String)
    }

    /// A refusal: application/problem+json.
    struct Problem: Error, Decodable {
        let code: String
        let reason: String?
    }

    struct Claim: Decodable {
        let claimId: String
        let number: String? // show it, if there is one: "Type this on your computer"
        let interval: Int
        let context: Context
    }

    struct Context: Decodable {
        let partner: String
        let label: String
        let browser: String
        let os: String
        let requestedAt: String
    }

    struct Token: Decodable {
        let endUserToken: String? // or
        let connectToken: String? // with exchange: app
        let expiresIn: Int
        let instanceId: String
        let platformUrl: String
        let journeyUrl: String?
        let reportUrl: URL
        let returnUrl: URL?
    }

    enum Report: String {
        case started, left, failed, finished
    }

    private let verifier = SymmetricKey(size: .bits256).withUnsafeBytes { base64url(Data($0)) }
    private let session = URLSession(configuration: .ephemeral)

    /// What a link is for, or nil if it is not one of ours.
    static func link(_ url: URL) -> Link? {
        let parts = url.pathComponents // "/", "c", "acme", …
        guard url.scheme == portal.scheme, [portal.host, pages.host].contains(url.host),
              parts.count == 4, parts[2] == partner else { return nil }
        switch parts[1] {
        case "c": return .code(url)
        case "a" where parts[3] != "connect": return .pickup(parts[3])
        default: return nil
        }
    }

    /// Claims a code: at once, before any login. deviceId is random, kept with
    /// the app, 16 to 64 characters.
    func claim(_ code: URL, deviceId: String) async throws -> Claim {
        let challenge = Self.base64url(Data(SHA256.hash(data: Data(verifier.utf8))))
        return try JSONDecoder().decode(Claim.self, from: await post("v1/claims", [
            "code": code.absoluteString,
            "codeChallenge": challenge,
            "deviceInfo": ["deviceId": deviceId, "deviceType": "mobile"],
        ]))
    }

    /// Waits for the token. Call it once the person has agreed; it goes on asking
    /// until the number has been typed.
    func token(_ claim: Claim) async throws -> Token {
        while true {
            do {
                let answer = try await post("v1/claims/\(claim.claimId)/token", ["codeVerifier": verifier])
                return try JSONDecoder().decode(Token.self, from: answer)
            } catch let problem as Problem where problem.code == "not_confirmed" {
                try await Task.sleep(nanoseconds: UInt64(max(1, claim.interval)) * 1_000_000_000)
            }
        }
    }

    /// "This wasn't me."
    func reject(_ claim: Claim) async throws {
        _ = try await post("v1/claims/\(claim.claimId)/reject", ["codeVerifier": verifier])
    }

    func pickUp(_ pickup: String) async throws -> Token {
        let answer = try await post("v1/pickups", ["pickup": pickup, "verifier": verifier])
        return try JSONDecoder().decode(Token.self, from: answer)
    }

    func report(_ event: Report, to token: Token) async throws {
        _ = try await post(token.reportUrl, ["event": event.rawValue])
    }

    private func post(_ path: String, _ body: [String: Any]) async throws -> Data {
        try await post(Self.portal.appendingPathComponent(path), body)
    }

    /// Sends it again when the network fails or the portal is busy: every call
    /// of the App API may be repeated with the same values.
    private func post(_ url: URL, _ body: [String: Any]) async throws -> Data {
        var request = URLRequest(url: url, timeoutInterval: 15)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = try JSONSerialization.data(withJSONObject: body)
        var attempt = 1
        while true {
            var wait = Double(1 << attempt) / 2 // 1, 2, 4, 8, 16 seconds
            do {
                let (data, response) = try await session.data(for: request)
                guard let http = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
                if (200..<300).contains(http.statusCode) { return data }
                if attempt == 6 || ![429, 502, 503, 504].contains(http.statusCode) {
                    throw (try? JSONDecoder().decode(Problem.self, from: data)) ?? Problem(code: "internal", reason: nil)
                }
                wait = max(wait, Double(http.value(forHTTPHeaderField: "Retry-After") ?? "") ?? 0)
            } catch let error as URLError {
                if attempt == 6 || error.code == .cancelled { throw error }
            }
            try await Task.sleep(nanoseconds: UInt64(wait * 1_000_000_000))
            attempt += 1
        }
    }

    private static func base64url(_ data: Data) -> String {
        data.base64EncodedString()
            .replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }
}
