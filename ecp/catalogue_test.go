package ecp

import (
	"bytes"
)

func aKey(id string, n byte) Key { return Key{ID: id, Secret: bytes.Repeat([]byte{n}, 32)} }
