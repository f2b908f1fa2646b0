package random

import (
	"crypto/rand"
	"encoding/hex"
)

func Hex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24: the program ends instead
	return hex.EncodeToString(b)
}
