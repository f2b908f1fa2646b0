package agentproto

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"slices"
)

// The labels keep signatures apart: what was signed for one purpose is of no
// use for another one, nor for another program that uses the same key.
const (
	labelConnect    = "openecp agent connect 1"
	labelRegister   = "openecp agent register 1"
	labelUnregister = "openecp agent unregister 1"
)

// nonceSize is the length of a server's nonce in bytes.
const nonceSize = 32

func newNonce() []byte {
	b := make([]byte, nonceSize)
	_, _ = rand.Read(b) // never fails
	return b
}

// signedBytes returns what is signed: the label and each field behind its
// length (four bytes, big endian), so that no two lists of fields are the same
// bytes.
func signedBytes(label string, fields ...[]byte) []byte {
	var out []byte
	for f := range slices.Values(append([][]byte{[]byte(label)}, fields...)) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return out
}

func sign(key ed25519.PrivateKey, label string, fields ...[]byte) []byte {
	return ed25519.Sign(key, signedBytes(label, fields...))
}

// verify reports whether a signature is of these fields. A key or signature of
// another length is not.
func verify(key ed25519.PublicKey, signature []byte, label string, fields ...[]byte) bool {
	return len(key) == ed25519.PublicKeySize && len(signature) == ed25519.SignatureSize &&
		ed25519.Verify(key, signedBytes(label, fields...), signature)
}
