package agentproto

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// nonceLife is how long a nonce of registration can be used.
const nonceLife = 2 * time.Minute

// maxUsedNonces is how many used nonces are remembered. Only those of authorized requests
// are, so that strangers cannot fill the memory.
const maxUsedNonces = 1 << 16

// nonces makes nonces that need no memory until they are used: a time and random bytes with
// a MAC, whose key exists in this process only.
type nonces struct {
	key   [32]byte
	begin time.Time // monotonic: a clock that is set anew changes nothing
	now   func() time.Time
	limit int // of used

	mu   sync.Mutex
	used map[string]time.Duration // until when each has to be remembered
}

func newNonces(now func() time.Time) *nonces {
	n := &nonces{begin: now(), now: now, limit: maxUsedNonces, used: make(map[string]time.Duration)}
	_, _ = rand.Read(n.key[:]) // never fails
	return n
}

// make returns a nonce for one purpose.
func (n *nonces) make(purpose string) []byte {
	nonce := binary.BigEndian.AppendUint64(nil, uint64(n.now().Sub(n.begin)))
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	nonce = append(nonce, random...)
	return append(nonce, n.mac(purpose, nonce)...)
}

func (n *nonces) mac(purpose string, nonce []byte) []byte {
	h := hmac.New(sha256.New, n.key[:])
	_, _ = h.Write(signedBytes(purpose, nonce)) // never fails
	return h.Sum(nil)
}

// valid reports whether this process made a nonce for the purpose, it has not expired, and
// it has not been used.
func (n *nonces) valid(purpose string, nonce []byte) bool {
	if !n.made(purpose, nonce) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, used := n.used[string(nonce)]
	return !used
}

// use reports whether a nonce is valid, and makes it invalid.
func (n *nonces) use(purpose string, nonce []byte) bool {
	if !n.made(purpose, nonce) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, used := n.used[string(nonce)]; used {
		return false
	}
	now := n.now().Sub(n.begin)
	if len(n.used) >= n.limit {
		for old, until := range n.used {
			if until < now {
				delete(n.used, old)
			}
		}
	}
	if len(n.used) >= n.limit {
		return false // in doubt no
	}
	n.used[string(nonce)] = now + nonceLife
	return true
}

func (n *nonces) made(purpose string, nonce []byte) bool {
	const head = 8 + 16
	if len(nonce) != head+sha256.Size || !hmac.Equal(nonce[head:], n.mac(purpose, nonce[:head])) {
		return false
	}
	age := n.now().Sub(n.begin) - time.Duration(binary.BigEndian.Uint64(nonce))
	return age >= 0 && age <= nonceLife
}
