package ecptest

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/openecp/openecp/ecp"
)

// NewID draws a valid cluster id, so that cases that share a platform do not
// meet.
func NewID() ecp.ID {
	b := make([]byte, 4)
	rand.Read(b) // never fails since Go 1.24: the program ends instead
	return ecp.ID("emqx-" + hex.EncodeToString(b))
}
