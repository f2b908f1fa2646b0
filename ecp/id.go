package ecp

import (
	"regexp"
)

// ID names a cluster for ever: "emqx-" and 8 hexadecimal digits. It is also
// the name of the cluster's Kubernetes namespace. It is not given out twice: a
// deleted cluster leaves a [Tombstone], for a year at least.
type ID string

// OperationID names an operation: "op-" and 16 hexadecimal digits.
type OperationID string

var idForm = regexp.MustCompile(`^emqx-[0-9a-f]{8}$`)

// Valid says whether id has the form of a cluster id, so that it is safe in a
// path, a label and a namespace name.
func (id ID) Valid() bool { return idForm.MatchString(string(id)) }
