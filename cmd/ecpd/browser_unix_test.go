//go:build unix

package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/browsertest"
	"github.com/openecp/openecp/internal/processtest"
)

// chromium is a headless browser that is driven over a pipe, by the DevTools
// protocol: messages of JSON, each ended by a zero byte.
type chromium struct {
	to      *os.File
	from    *bufio.Scanner
	serial  int
	session string // of the page
}

// openChromium starts a browser with an empty page. It is skipped where there is
// none, unless one is required.
func openChromium(t *testing.T, args ...string) *chromium {
	t.Helper()
	in, to, err := os.Pipe()
	require.NoError(t, err)
	from, out, err := os.Pipe()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := browsertest.Command(ctx, t, append(args, "--remote-debugging-pipe", "about:blank")...)
	cmd.ExtraFiles = []*os.File{in, out} // 3 and 4, as the browser expects them
	require.NoError(t, cmd.Start())
	require.NoError(t, in.Close())
	require.NoError(t, out.Close())
	b := &chromium{to: to, from: bufio.NewScanner(from)}
	b.from.Buffer(nil, 16<<20)
	b.from.Split(untilZero)
	t.Cleanup(func() {
		b.tell("Browser.close", nil)
		_ = cmd.Wait() // it ends as it likes
		cancel()
		_, _ = to.Close(), from.Close()
	})
	made := b.call(t, "Target.createTarget", map[string]any{"url": "about:blank"})
	attached := b.call(t, "Target.attachToTarget", map[string]any{"targetId": made["targetId"], "flatten": true})
	b.session, _ = attached["sessionId"].(string)
	require.NotEmpty(t, b.session)
	return b
}

func untilZero(data []byte, _ bool) (advance int, token []byte, err error) {
	for i, c := range data {
		if c == 0 {
			return i + 1, data[:i], nil
		}
	}
	return 0, nil, nil
}

// tell sends a message and returns its number.
func (b *chromium) tell(method string, params map[string]any) int {
	b.serial++
	m := map[string]any{"id": b.serial, "method": method, "params": params}
	if params == nil {
		m["params"] = map[string]any{}
	}
	if b.session != "" && method != "Browser.close" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err == nil {
		_, _ = b.to.Write(append(text, 0)) // a browser that has gone does not answer either
	}
	return b.serial
}

// call sends a message and waits for its answer; events before it are dropped.
func (b *chromium) call(t *testing.T, method string, params map[string]any) map[string]any {
	t.Helper()
	id := b.tell(method, params)
	for b.from.Scan() {
		var m struct {
			ID     int
			Result map[string]any
			Error  any
		}
		require.NoError(t, json.Unmarshal(b.from.Bytes(), &m))
		if m.ID == id {
			require.Nil(t, m.Error, method)
			return m.Result
		}
	}
	t.Fatalf("%s: the browser has ended (%v)", method, b.from.Err())
	return nil
}

// open leads the page to an address. The browser ends what it loads when an interface of the
// machine comes or goes, as those of other tests do; it is led there again then.
func (b *chromium) open(t *testing.T, url string) {
	t.Helper()
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		failed, _ := b.call(t, "Page.navigate", map[string]any{"url": url})["errorText"].(string)
		if failed != "net::ERR_NETWORK_CHANGED" {
			require.Empty(t, failed, url)
		}
		return failed == "", failed
	})
}

// run returns the value of an expression in the page, as text; "null" for none.
func (b *chromium) run(t *testing.T, expression string) string {
	t.Helper()
	got := b.call(t, "Runtime.evaluate",
		map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true})
	result, _ := got["result"].(map[string]any)
	require.Nil(t, got["exceptionDetails"], "%s: %v", expression, result["description"])
	if result["value"] == nil {
		return "null"
	}
	return fmt.Sprint(result["value"])
}

// becomes waits until an expression in the page is true, and prints what is
// shown if that takes too long.
func (b *chromium) becomes(t *testing.T, expression string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for b.run(t, "Boolean("+expression+")") != "true" {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not become true; shown is: %s", expression,
				b.run(t, "location.href + ' ' + document.body.innerText"))
		}
		b.run(t, "new Promise((done) => setTimeout(done, 50))")
	}
}

// fill types into the fields of the page's form, and sends it.
func (b *chromium) fill(t *testing.T, fields map[string]string) {
	t.Helper()
	for name, value := range fields {
		b.run(t, "document.forms[0]["+strconv.Quote(name)+"].value = "+strconv.Quote(value))
	}
	b.run(t, "document.querySelector('form button').click()")
}
