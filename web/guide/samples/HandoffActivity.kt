class HandoffActivity : ComponentActivity() {
    private val model: HandoffModel by viewModels()

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContent { HandoffScreen(model) }
        if (savedInstanceState == null) intent.dataString?.let(model::open)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        intent.dataString?.let(model::open)
    }
}

class HandoffModel(application: Application) : AndroidViewModel(application) {
    var asked by mutableStateOf<HandoffClient.Claim?>(null) // shown until the person has answered
    var token by mutableStateOf<HandoffClient.Token?>(null) // go on with the platform
    var problem by mutableStateOf<String?>(null)            // a code of the error table
    private var client = HandoffClient()
    private var work: Job? = null

    fun open(url: String) {
        client = HandoffClient()
        val link = client.link(url, partner = "acme") ?: return // your partner id
        asked = null; token = null; problem = null
        run { client ->
            when (link) {
                is HandoffClient.Link.Code -> asked = blocking { client.claim(link.url, deviceId()) }
                is HandoffClient.Link.Pickup -> token = blocking { client.pickUp(link.pickup) }
            }
        }
    }

    fun agree(claim: HandoffClient.Claim) = run { client -> token = blocking { client.token(claim) } }

    fun refuse(claim: HandoffClient.Claim) = run { client ->
        asked = null
        blocking { client.reject(claim) }
    }

    private fun run(step: suspend (HandoffClient) -> Unit) {
        work?.cancel()
        val client = client
        work = viewModelScope.launch {
            try {
                step(client)
            } catch (refused: HandoffClient.Problem) {
                problem = refused.code
            } catch (lost: IOException) {
                problem = "offline"
            }
        }
    }

    /** Off the main thread, and stopped with the work. */
    private suspend fun <T> blocking(call: () -> T): T = runInterruptible(Dispatchers.IO) { call() }

    /** A random id of this installation. */
    private fun deviceId(): String {
        val kept = getApplication<Application>().getSharedPreferences("handoff", Context.MODE_PRIVATE)
        return kept.getString("deviceId", null)
            ?: UUID.randomUUID().toString().also { kept.edit().putString("deviceId", it).apply() }
    }
}

@Composable
fun HandoffScreen(model: HandoffModel) {
    val claim = model.asked
    Column {
        if (model.token != null) {
            Text("Connected") // your own screens, from here
        } else if (claim != null) {
            val context = claim.context
            Text("Continue with ${context.getString("partner")}?")
            Text("${context.getString("label")}. Asked for in ${context.getString("browser")} on ${context.getString("os")}.")
            claim.number?.let {
                Text("Type this on your computer")
                Text(it, fontSize = 48.sp)
            }
            Button(onClick = { model.agree(claim) }) { Text("Continue") }
            Button(onClick = { model.refuse(claim) }) { Text("This wasn't me") }
        } else {
            model.problem?.let { Text(it) } // what to show is in the table of errors
        }
    }
}
