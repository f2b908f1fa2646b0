// Package processtest builds the programs of this module and runs them as their users
// do: as processes, with output, signals and exit codes.
//
//	func TestMain(m *testing.M) {
//		goleak.VerifyTestMain(m, goleak.Cleanup(processtest.Exit))
//	}
//
//	func TestSomething(t *testing.T) {
//		p := processtest.Start(t, exec.Command(processtest.Program(t, "./cmd/ecpd"), "serve"))
//		url := p.Line(t, "ecpd ready on ")
//		...
//		code, _ := p.Terminate(t)
//	}
//
// A process that a test has started ends with the test at the latest, and what it
// printed is logged if the test failed.
package processtest
