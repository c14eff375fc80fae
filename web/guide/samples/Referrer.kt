// implementation("com.android.installreferrer:installreferrer:2.2")
fun onFirstStart(context: Context, open: (url: String) -> Unit) {
    val client = InstallReferrerClient.newBuilder(context).build()
    client.startConnection(object : InstallReferrerStateListener {
        override fun onInstallReferrerSetupFinished(responseCode: Int) {
            if (responseCode == InstallReferrerClient.InstallReferrerResponse.OK) {
                client.installReferrer.installReferrer.split('&')
                    .firstOrNull { it.startsWith("handoff=") }
                    ?.let { open(it.removePrefix("handoff=")) }
            }
            client.endConnection()
        }

        override fun onInstallReferrerServiceDisconnected() = Unit
    })
}
