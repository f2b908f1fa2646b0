package random

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// Hex returns n random bytes as 2n hex digits.
func Hex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24: the program ends instead
	return hex.EncodeToString(b)
}

// Hash returns the hex SHA-256 of a secret, under which its record is stored. Secrets are
// random and long, so a fast hash is enough.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
