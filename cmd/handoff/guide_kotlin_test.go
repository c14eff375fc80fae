package main

import (
	"bufio"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kotlinMain is an app that uses the guide's client, in a terminal.
const kotlinMain = `
fun main(args: Array<String>) {
    val client = HandoffClient(args[0])
    check(client.link("https://elsewhere.example/c/acme/x", "acme") == null)
    check(client.link(args[0] + "/c/other/x", "acme") == null)
    val link = client.link(args[1], "acme") as HandoffClient.Link.Code
    val claim = client.claim(link.url, "0f8b5c1e-6a1d-4d0e-9d55-5f1f0a7f7a10")
    println("number " + claim.number + " " + claim.context.getString("partner"))
    val token = client.token(claim)
    client.report("finished", token)
    println("token " + (token.endUserToken!!.length > 20) + " " + token.instanceId)
    try {
        HandoffClient(args[0]).claim(link.url, "another device's id").let { println("claimed twice") }
    } catch (refused: HandoffClient.Problem) {
        println("refused " + refused.code)
    }
}
`

// The client in Kotlin is compiled and plays an app, the number and all. Compiling
// takes long, so that this is one of the long tests.
func (g *guided) testKotlin(t *testing.T) {
	if os.Getenv("HANDOFF_LONG") == "" {
		t.Skip("HANDOFF_LONG is not set: the guide's Kotlin is not compiled")
	}
	needProgram(t, "java")
	const androidJSON = "/usr/share/java/com.android.json.jar"
	if _, err := os.Stat(androidJSON); err != nil {
		missing(t, "libandroid-json-java is not installed")
	}
	compiler := filepath.Join(npmModules(t, "npm-long"), "kotlin-compiler")
	dir := t.TempDir()
	for name, text := range map[string]string{"HandoffClient.kt": g.sample(t, "HandoffClient.kt"), "Main.kt": kotlinMain} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compile := exec.CommandContext(t.Context(), "java", "-cp", filepath.Join(compiler, "lib", "kotlin-preloader.jar"), "org.jetbrains.kotlin.preloading.Preloader",
		"-cp", filepath.Join(compiler, "lib", "kotlin-compiler.jar"), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-kotlin-home", compiler,
		"-no-reflect", "-Werror", "-cp", androidJSON, "HandoffClient.kt", "Main.kt", "-d", "app.jar")
	compile.Dir = dir
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling the guide's Kotlin: %v\n%s", err, out)
	}

	display := create(t, g.public, g.key.Reveal())
	desk := newPerson(t, "desk")
	_, page := desk.get(display)
	link := find(t, page, `data-deep-link[^>]* href="([^"]+)"`)
	portal, _, _ := strings.Cut(link, "/c/")
	classes := strings.Join([]string{filepath.Join(dir, "app.jar"), filepath.Join(compiler, "lib", "kotlin-stdlib.jar"), androidJSON}, string(os.PathListSeparator))
	app := exec.CommandContext(t.Context(), "java", "-cp", classes, "MainKt", portal, link)
	app.Stderr = t.Output()
	out, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if rest, ok := strings.CutPrefix(lines.Text(), "number "); ok {
			number, _, _ := strings.Cut(rest, " ")
			desk.post(display+"/confirm", url.Values{"number": {number}})
		}
	}
	if err := app.Wait(); err != nil {
		t.Errorf("the app ended with %v", err)
	}
	if got := strings.Join(said, "\n"); len(said) != 3 || !strings.HasSuffix(said[0], " Acme Bank") || said[1] != "token true PiServeTest000001" || said[2] != "refused conflict" {
		t.Errorf("the app said\n%s\nwant the partner, the token and the second claim refused", got)
	}
}
