package kubelab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// program is a command line of one of the built programs.
type program struct {
	name string
	args []string
}

// process is a started program.
type process struct {
	name string
	log  string // path
	cmd  *exec.Cmd
	done chan struct{} // closed after err is set
	err  error
}

// launcher starts all programs of a lab on one thread, which lives as long as the lab:
// the kernel kills a child when the thread that started it ends, and the Go runtime
// may end its threads at any time.
type launcher struct {
	bin, dir string
	requests chan launch
	stopped  chan struct{}
}

type launch struct {
	cmd   *exec.Cmd
	reply chan error
}

func newLauncher(bin, dir string) *launcher {
	l := &launcher{bin: bin, dir: dir, requests: make(chan launch), stopped: make(chan struct{})}
	go l.run()
	return l
}

func (l *launcher) run() {
	// Never unlocked: the thread ends with the goroutine.
	runtime.LockOSThread()
	defer close(l.stopped)
	for r := range l.requests {
		r.reply <- r.cmd.Start()
	}
}

// close ends the thread, and with it whatever it started and still runs.
func (l *launcher) close() {
	close(l.requests)
	<-l.stopped
}

// start starts p, whose output is appended to its log. The environment has only what
// the program needs: proxies, a user's kubeconfig or GODEBUG must not reach it.
func (l *launcher) start(p program) (*process, error) {
	path := filepath.Join(l.dir, "logs", p.name+".log")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	//nolint:noctx // it lives until kill, not as long as the call that starts it
	cmd := exec.Command(filepath.Join(l.bin, p.name), p.args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Dir = l.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "TMPDIR=" + l.dir}
	cmd.SysProcAttr = childAttr()
	reply := make(chan error)
	l.requests <- launch{cmd, reply}
	if err := <-reply; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	proc := &process{name: p.name, log: path, cmd: cmd, done: make(chan struct{})}
	go func() {
		proc.err = cmd.Wait()
		close(proc.done)
	}()
	return proc, nil
}

// kill ends the process by SIGKILL and waits for its end. A graceful end of the API
// server takes ten seconds, and a lab has nothing to save.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// death returns an error with the end of the log if the process has ended by itself,
// and nil while it runs.
func (p *process) death() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended by itself (%w); its log ends:\n%s", p.name, p.err, tail(p.log))
	default:
		return nil
	}
}

// tail returns the last lines of a file, or the reason why it cannot be read.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const most = 8 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	b, _ := io.ReadAll(io.LimitReader(f, most))
	return lastLines(b, 12)
}

func lastLines(b []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
