package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/processtest"
)

// terminal is a pseudo terminal with a program on it.
type terminal struct {
	t       *testing.T
	control *os.File
	cmd     *exec.Cmd

	mu   sync.Mutex
	seen bytes.Buffer // guarded by mu
	read chan struct{}
}

// onTerminal starts a command on a terminal.
func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal here: %v", err)
	}
	var number, unlock int32
	ioctl(t, control, syscall.TIOCSPTLCK, &unlock)
	ioctl(t, control, syscall.TIOCGPTN, &number)
	user, err := os.OpenFile("/dev/pts/"+itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = user, user, user
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, user.Close())
	term := &terminal{t: t, control: control, cmd: cmd, read: make(chan struct{})}
	go func() {
		defer close(term.read)
		for b := make([]byte, 1024); ; {
			n, err := control.Read(b)
			term.mu.Lock()
			term.seen.Write(b[:n])
			term.mu.Unlock()
			if err != nil {
				return // EIO: nobody has the other side open
			}
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-term.read; _ = control.Close() })
	return term
}

func ioctl(t *testing.T, f *os.File, request uintptr, value *int32) {
	t.Helper()
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(value)))
	require.Zero(t, errno)
}

func (o *terminal) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen.String()
}

// interrupt is Ctrl-C.
const interrupt = "\x03"

// answer waits for a question and types a line.
func (o *terminal) answer(question, line string) {
	o.t.Helper()
	processtest.Eventually(o.t, 10*time.Second, func() (bool, any) {
		text := o.text()
		return strings.HasSuffix(strings.TrimRight(text, " "), question), text
	})
	if !strings.HasSuffix(line, interrupt) {
		line += "\n"
	}
	_, err := o.control.WriteString(line)
	require.NoError(o.t, err)
}

// A person at a terminal is asked, and what is secret is not shown.
func TestQuestions(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, nil), newPlace(t)
	b := newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	b.cluster.AddUser("agent", "canary word ", "administrator")
	token := w.token()
	o := onTerminal(t, p.command(append([]string{"register", "--url", w.url, "--ca-sha256", w.pin}, b.flags()...)...))
	o.answer("Registration token:", token)
	o.answer("EMQX dashboard user (empty: look for one on this host):", "agent")
	o.answer("Password of agent:", "canary word ")
	require.NoError(t, o.cmd.Wait(), o.text())
	<-o.read
	assert.Contains(t, o.text(), "Registered as agent")
	assert.NotContains(t, o.text(), token)
	assert.NotContains(t, o.text(), "canary")
}

// Ctrl-C at a question ends the program and leaves the terminal as it was.
func TestQuestionInterrupted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := onTerminal(t, exec.Command("sh", "-c",
		"trap : INT; "+p.program+" register --url https://127.0.0.1:1; echo code $?; stty -a", "sh"))
	o.answer("Registration token:", "some"+interrupt)
	require.NoError(t, o.cmd.Wait(), o.text())
	<-o.read
	assert.Contains(t, o.text(), "code 130")
	assert.Regexp(t, `[^-]echo `, o.text(), "what is typed is shown again")
}
