package k8sprovisioner

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/kubelab/labtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(labtest.M(m)) }
