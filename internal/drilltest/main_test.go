package drilltest

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(processtest.Exit)) }
