package ring_test

import "context"

// ctx is that of tests that ask for no other.
var ctx = context.Background()
