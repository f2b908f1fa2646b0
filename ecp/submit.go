package ecp

import (
	"errors"
)

// ErrRefused is the cause of every refusal for want of a right, also where the
// actor is told that there is no such thing: the audit tells them apart.
var ErrRefused = errors.New("the actor does not hold the right")
