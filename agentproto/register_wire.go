package agentproto

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Limits of registration.
const (
	maxRegisterBody = 16 << 10 // bytes of a request
	maxAnswerBody   = 64 << 10 // bytes of an answer
	maxToken        = 256      // bytes
	maxHTTPNonce    = 256      // bytes
)

// registerRequest asks for a nonce if it has none, and for an identity
// otherwise. The signature proves possession of the private key.
type registerRequest struct {
	Token     string `json:"token,omitempty"`
	PublicKey []byte `json:"publicKey,omitempty"`
	Hello     Hello  `json:"hello,omitzero"`
	Nonce     []byte `json:"nonce,omitempty"`
	Signature []byte `json:"signature,omitempty"`
}

func (r registerRequest) signed(server string) [][]byte {
	token := sha256.Sum256([]byte(r.Token))
	return [][]byte{r.Nonce, []byte(server), r.PublicKey, token[:]}
}

// registerAnswer is an identity, as far as the server decides it.
type registerAnswer struct {
	Agent       string    `json:"agent"`
	Cluster     string    `json:"cluster,omitempty"`
	Authorities [][]byte  `json:"authorities,omitempty"` // DER
	Time        time.Time `json:"time,omitzero"`
}

// unregisterRequest asks for a nonce if it has none, and to be forgotten
// otherwise.
type unregisterRequest struct {
	Agent     string `json:"agent,omitempty"`
	Nonce     []byte `json:"nonce,omitempty"`
	Signature []byte `json:"signature,omitempty"`
}

func (r unregisterRequest) signed(server string) [][]byte {
	return [][]byte{r.Nonce, []byte(server), []byte(r.Agent)}
}

// problem is the answer to a refused request: RFC 9457, with the refusal in it.
type problem struct {
	Type    string   `json:"type"`
	Title   string   `json:"title"`
	Status  int      `json:"status"`
	Detail  string   `json:"detail,omitempty"`
	Refusal *Refusal `json:"refusal,omitempty"`
}

// refusalStatus is the HTTP status of each refusal that registration knows;
// others are 403.
var refusalStatus = map[RefusalCode]int{
	RefusedBadRequest:          http.StatusBadRequest,
	RefusedBusy:                http.StatusServiceUnavailable,
	RefusedGoingAway:           http.StatusServiceUnavailable,
	RefusedUnsupportedProtocol: http.StatusUpgradeRequired,
}

// writeRefusal answers with a refusal. A zero status means that of the code.
func writeRefusal(w http.ResponseWriter, status int, r *Refusal) {
	if status == 0 {
		status = refusalStatus[r.Code]
	}
	if status == 0 {
		status = http.StatusForbidden
	}
	if r.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((r.RetryAfter+time.Second-1)/time.Second)))
	}
	writeJSON(w, status, "application/problem+json", problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: r.Error(), Refusal: r,
	})
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	raw, err := json.Marshal(v)
	if err != nil { // a time outside of the years that JSON has
		http.Error(w, "the answer cannot be encoded", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the client may be gone
}

// validToken reports whether a text can be a registration token: visible ASCII.
func validToken(s string) bool {
	for _, b := range []byte(s) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}

func validPublicKey(key []byte) bool { return len(key) == ed25519.PublicKeySize }
