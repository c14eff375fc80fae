// implementation("com.android.installreferrer:installreferrer:2.2")
fun onFirstStart(context: Context, inAHandoff: () -> Unit) {
    val client = InstallReferrerClient.newBuilder(context).build()
    client.startConnection(object : InstallReferrerStateListener {
        override fun onInstallReferrerSetupFinished(responseCode: Int) {
            if (responseCode == InstallReferrerClient.InstallReferrerResponse.OK &&
                client.installReferrer.installReferrer.contains("handoff")
            ) {
                inAHandoff()
            }
            client.endConnection()
        }

        override fun onInstallReferrerServiceDisconnected() = Unit
    })
}
