package podsim

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func factory(p Process) Factory {
	return func(context.Context, Pod) (Process, error) { return p, nil }
}

func TestKillClosesEverything(t *testing.T) {
	ip := address(t)
	entered := make(chan struct{})
	var exits atomic.Int32
	r, err := launch(t.Context(), Pod{IP: ip}, factory(Process{
		HTTP: map[int]http.Handler{8081: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
		})},
		TCP:  []int{1883, 8883},
		Exit: func() { exits.Add(1) },
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.kill()
	mqtt := connect(t, ip+":1883")
	if _, err := mqtt.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	slow := connect(t, ip+":8081")
	if _, err := io.WriteString(slow, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	r.kill()
	r.kill()
	if n := exits.Load(); n != 1 {
		t.Errorf("Exit was called %d times", n)
	}
	for name, conn := range map[string]net.Conn{"MQTT": mqtt, "a request under way": slow} {
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got %v, want a reset", name, err)
		}
	}
	for _, port := range []string{":1883", ":8883", ":8081"} {
		if conn, err := net.Dial("tcp", ip+port); err == nil {
			conn.Close()
			t.Errorf("%s still takes connections", port)
		}
	}
	var none *running
	none.kill()
}

func TestLaunchIsAllOrNothing(t *testing.T) {
	ip := address(t)
	taken, err := net.Listen("tcp", ip+":8081")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var exited bool
	_, err = launch(t.Context(), Pod{IP: ip}, factory(Process{TCP: []int{1883, 8081}, Exit: func() { exited = true }}))
	if !errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, errExited) {
		t.Errorf("got %v, want that the address is in use", err)
	}
	if !exited {
		t.Error("the process was not told that it ended")
	}
	if conn, err := net.Dial("tcp", ip+":1883"); err == nil {
		conn.Close()
		t.Error("a port of a failed start is open")
	}
}

func TestFactoryFailureIsAnExit(t *testing.T) {
	boom := errors.New("boom")
	var process context.Context
	_, err := launch(t.Context(), Pod{IP: address(t)}, func(ctx context.Context, _ Pod) (Process, error) {
		process = ctx
		return Process{}, boom
	})
	if !errors.Is(err, errExited) || !errors.Is(err, boom) || !strings.Contains(err.Error(), "boom") {
		t.Errorf("got %v", err)
	}
	if process.Err() == nil {
		t.Error("the context of a process that never ran lives on")
	}
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}
