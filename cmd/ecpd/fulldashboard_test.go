package main_test

import (
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // the handshake of WebSockets wants it
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"
)

// fullDashboard is a simulated dashboard with what is known of real ones, or may be
// expected of them, beside its pages: assets that are packed, kept by their ETag and
// read in ranges, redirects to the broker's own address, uploads, events, cookies,
// and a WebSocket.
func fullDashboard() error {
	to, err := url.Parse(os.Getenv("WAY_TO"))
	if err != nil {
		return err
	}
	script := strings.Repeat("// a line of a script\n", 5000)
	mux := http.NewServeMux()
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
	mux.HandleFunc("GET /t/asset.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"of-`+os.Getenv("WAY_NAME")+`"`)
		w.Header().Set("Content-Type", "application/javascript")
		if r.Header.Get("Range") == "" && r.Header.Get("If-None-Match") == "" &&
			strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, script)
			_ = z.Close()
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(script))
	})
	mux.HandleFunc("GET /t/redirect", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+"/t/seen")
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("GET /t/cookie", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "theme=dark; Domain=dash.test; Path=/")
	})
	mux.HandleFunc("/t/seen", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.EscapedPath(), "host": r.Host, "bytes": n,
			"header": r.Header})
	})
	mux.HandleFunc("GET /t/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /t/ws", echoSocket)
	server := &http.Server{Addr: os.Getenv("WAY_LISTEN"), Handler: mux, ReadHeaderTimeout: time.Minute}
	return server.ListenAndServe()
}

// echoSocket sends back what comes by a WebSocket, messages of less than 126 bytes.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "http://"+r.Host { // as servers of WebSockets do
		http.Error(w, "the origin is "+origin, http.StatusForbidden)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	//nolint:gosec // as above
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+
		"websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	_ = rw.Flush()
	for {
		var head [6]byte // and the mask
		if _, err := io.ReadFull(rw, head[:]); err != nil || head[1]&0x7f > 125 {
			return
		}
		body := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(rw, body); err != nil {
			return
		}
		for i := range body {
			body[i] ^= head[2+i%4]
		}
		_, _ = rw.Write(append([]byte{head[0], byte(len(body))}, body...))
		if rw.Flush() != nil {
			return
		}
	}
}
