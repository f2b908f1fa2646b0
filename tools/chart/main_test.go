package chart

import (
	"io"
	"log"
	"os"
	"testing"

	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/openecp/openecp/internal/processtest"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm says of each shared file that it is one
	code := labtest.M(m).Run()
	processtest.Exit(code)
	os.Exit(code)
}
