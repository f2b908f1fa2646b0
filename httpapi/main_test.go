package httpapi

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write openapi.json and the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
