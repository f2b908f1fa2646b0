package agentproto

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"

	"github.com/coder/websocket"
)

// newWebSocketConn returns the carrier of a WebSocket. below is the connection
// that it runs on.
func newWebSocketConn(ctx context.Context, ws *websocket.Conn, below *cork) *carrierConn {
	limitUnsent(socketOf(below.Conn))
	out := newCoalescer(corkedConn{websocket.NetConn(ctx, ws, websocket.MessageBinary), below})
	orderly := func() error {
		out.drain()
		return ws.Close(websocket.StatusNormalClosure, "")
	}
	return newCarrierConn(CarrierWebSocket, out, orderly, func() error {
		_ = below.Close() // first: it ends a write that hangs
		return ws.CloseNow()
	})
}

func socketOf(conn net.Conn) net.Conn {
	if t, ok := conn.(*tls.Conn); ok {
		return t.NetConn()
	}
	return conn
}

// connect answers GET [PathConnect] with the WebSocket carrier.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	if no := s.refusing(); no != nil {
		w.Header().Set("Retry-After", strconv.Itoa(int(no.RetryAfter.Seconds())))
		http.Error(w, no.Message, http.StatusServiceUnavailable)
		return
	}
	keeper := &hijackKeeper{ResponseWriter: w}
	ws, err := websocket.Accept(keeper, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil { // Accept has answered
		s.cfg.Logger.Debug("not a WebSocket", "remote", r.RemoteAddr, "error", err)
		return
	}
	ctx := context.WithoutCancel(r.Context()) // the connection outlives this call
	s.serve(ctx, newWebSocketConn(ctx, ws, keeper.conn), r.RemoteAddr)
}

// hijackKeeper keeps the connection that is taken from net/http.
type hijackKeeper struct {
	http.ResponseWriter
	conn *cork
}

// Hijack takes the connection over. What is written to it passes the cork.
func (k *hijackKeeper) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(k.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	k.conn = &cork{Conn: conn}
	rw.Writer.Reset(k.conn)
	return k.conn, rw, nil
}
