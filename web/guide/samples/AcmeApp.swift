import SwiftUI

@main
struct AcmeApp: App {
    @StateObject private var handoff = HandoffModel()

    var body: some Scene {
        WindowGroup {
            HandoffView(model: handoff)
                .onOpenURL { handoff.open($0) } // universal links come here too
        }
    }
}

@MainActor
final class HandoffModel: ObservableObject {
    @Published var asked: HandoffClient.Claim? // shown until the person has answered
    @Published var token: HandoffClient.Token? // go on with the platform
    @Published var problem: String?            // a code of the error table
    private var client = HandoffClient()
    private var work: Task<Void, Never>?

    func open(_ url: URL) {
        guard let link = HandoffClient.link(url) else { return }
        client = HandoffClient()
        (asked, token, problem) = (nil, nil, nil)
        run { model, client in
            switch link {
            case .code(let code): model.asked = try await client.claim(code, deviceId: deviceId())
            case .pickup(let pickup): model.token = try await client.pickUp(pickup)
            }
        }
    }

    func agree(to claim: HandoffClient.Claim) {
        run { model, client in model.token = try await client.token(claim) }
    }

    func refuse(_ claim: HandoffClient.Claim) {
        asked = nil
        run { _, client in try await client.reject(claim) }
    }

    private func run(_ step: @escaping @MainActor (HandoffModel, HandoffClient) async throws -> Void) {
        work?.cancel()
        let client = client
        work = Task {
            do {
                try await step(self, client)
            } catch let refused as HandoffClient.Problem {
                problem = refused.code
            } catch {
                if !Task.isCancelled { problem = "offline" }
            }
        }
    }
}

struct HandoffView: View {
    @ObservedObject var model: HandoffModel

    var body: some View {
        if model.token != nil {
            Text("Connected") // your own screens, from here
        } else if let claim = model.asked {
            VStack(spacing: 24) {
                Text("Continue with \(claim.context.partner)?").font(.title)
                Text("\(claim.context.label). Asked for in \(claim.context.browser) on \(claim.context.os).")
                if let number = claim.number {
                    Text("Type this on your computer")
                    Text(number).font(.largeTitle.monospacedDigit())
                }
                Button("Continue") { model.agree(to: claim) }
                Button("This wasn't me") { model.refuse(claim) }
            }
        } else if let problem = model.problem {
            Text(problem) // what to show is in the table of errors
        }
    }
}

/// A random id of this installation.
private func deviceId() -> String {
    let key = "handoffDeviceId"
    if let known = UserDefaults.standard.string(forKey: key) { return known }
    let made = UUID().uuidString
    UserDefaults.standard.set(made, forKey: key)
    return made
}
