//go:build !unit

package render_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"

	"ace/infra/testkit/chromium"
)

// patience bounds the time of one tab.
const patience = 2 * time.Minute

// browser is the browser of all tests of the package. Tests run in parallel tabs, except
// for the one that measures times.
var browser chromium.Shared

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run stops the browser before it checks for leaked goroutines.
func run(m *testing.M) int {
	code := m.Run()
	browser.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var (
	desktop = chromium.Screen{Width: 1280, Height: 900, Scheme: "light"}
	phone   = chromium.Screen{Width: 390, Height: 844, Scheme: "light", Touch: true}
)

// show serves a page, sandboxed as the service does, and opens it in a tab. At the end of
// the test, the tab must have requested only the page itself, and must have reported no
// error.
func show(t *testing.T, s chromium.Screen, html []byte) *chromium.Tab {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'")
		_, _ = w.Write(html)
	}))
	t.Cleanup(server.Close)
	address := server.URL + "/page"
	b := chromium.NewTab(browser.Context(t), t, patience, s, func(url string) bool { return url == address })
	b.Do(t, chromedp.Navigate(address))
	return b
}

// bigPage renders a hundred thousand differences in a program without the race detector,
// which would be ten times slower.
func bigPage(t *testing.T, width string) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bigpage")
	if output, err := exec.Command("go", "build", "-o", program, "ace/infra/bigpage").CombinedOutput(); err != nil {
		t.Fatalf("the program that renders the page cannot be built: %v\n%s", err, output)
	}
	var failure bytes.Buffer
	command := exec.Command(program, width)
	command.Stderr, command.Env = &failure, append(os.Environ(), "GOGC=400")
	html, err := command.Output()
	if err != nil {
		t.Fatalf("the page cannot be rendered: %v\n%s", err, &failure)
	}
	return html
}
