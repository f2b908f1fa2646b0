package ecp

import (
	"bytes"
	"encoding/json"
)

// DecodeNumbers decodes JSON and keeps numbers as they are written, so that large ones
// stay exact.
func DecodeNumbers(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}
