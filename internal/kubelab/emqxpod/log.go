package emqxpod

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// logOf serves what a node has logged since its process began. It understands the
// query of a kubelet: sinceTime, tailLines, follow and timestamps.
func logOf(node *emqxsim.Node, began time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		o := ecp.LogOptions{Since: began, Follow: q.Get("follow") == "true"}
		if since, err := time.Parse(time.RFC3339, q.Get("sinceTime")); err == nil && since.After(began) {
			o.Since = since
		}
		if n, err := strconv.Atoi(q.Get("tailLines")); err == nil {
			o.Tail = n
		}
		body := node.Logs(r.Context(), o)
		defer body.Close()
		w.Header().Set("Content-Type", "text/plain")
		_ = http.NewResponseController(w).Flush()
		copyLog(w, body, q.Get("timestamps") == "true")
	})
}

// copyLog copies line by line, and flushes when no further line is buffered.
func copyLog(w http.ResponseWriter, body io.Reader, stamped bool) {
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadString('\n')
		if !stamped {
			_, line, _ = strings.Cut(line, " ")
		}
		if _, failed := io.WriteString(w, line); failed != nil || err != nil {
			return
		}
		if lines.Buffered() == 0 {
			_ = http.NewResponseController(w).Flush()
		}
	}
}
