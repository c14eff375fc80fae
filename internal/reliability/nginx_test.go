package reliability_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nginxConf sends desktops to the first process, phones to the second and apps to
// the third, and each to another while its own is away. Buffering is as nginx has
// it of itself.
const nginxConf = `daemon off;
pid %[1]s/pid;
error_log %[1]s/error.log;
%[2]s
worker_processes 1;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  upstream desks  { server %[4]s fail_timeout=1s; server %[5]s backup; server %[6]s backup; }
  upstream phones { server %[5]s fail_timeout=1s; server %[6]s backup; server %[4]s backup; }
  upstream apps   { server %[6]s fail_timeout=1s; server %[4]s backup; server %[5]s backup; }
  server {
    listen %[3]s;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    location / { proxy_pass http://desks; }
    location ~ ^/(c|p|a|t)/ { proxy_pass http://phones; }
    location ~ ^/v1/(claims|pickups|reports) { proxy_pass http://apps; }
  }
}
`

// startNginx starts nginx in front of three processes, on the world's address.
func startNginx(t *testing.T, address string, processes []*process) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil { // not on everybody's PATH
		program, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		t.Skip("SKIPPED: nginx is not installed (Debian: nginx-light)")
	}
	dir, user := t.TempDir(), ""
	if os.Geteuid() == 0 {
		user = "user root;" // its folder is ours alone
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(nginxConf, dir, user, address, processes[0].listen, processes[1].listen, processes[2].listen)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", conf)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ended by us, or its words say why
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
	})
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("nginx ended at once: %s", said.String())
		default:
		}
		if time.Since(began) > patience {
			t.Fatal("nginx does not listen")
		}
	}
}
