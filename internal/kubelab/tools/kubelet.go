package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

// kubeletMain serves the node endpoint that the API server dials. It answers
// port-forward itself, with a connection to the pod's own address, and logs of
// simulated pods with what they serve; everything else (exec) goes on to kwok.
// kwok's port-forward needs an object with a fixed address for every pod, and
// its logs are files; a real kubelet needs neither.
func kubeletMain() {
	if err := serveKubelet(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kubelet:", err)
		os.Exit(1)
	}
}

func serveKubelet(args []string) error {
	fs := flag.NewFlagSet("kubelet", flag.ContinueOnError)
	kubeconfig := fs.String("kubeconfig", "", "kubeconfig with the right to get pods")
	listen := fs.String("listen", "", "address the API server dials")
	cert := fs.String("tls-cert-file", "", "server certificate")
	key := fs.String("tls-private-key-file", "", "its key")
	upstream := fs.String("kwok", "", "URL of kwok's own server")
	if err := fs.Parse(args); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	target, err := url.Parse(*upstream)
	if err != nil {
		return fmt.Errorf("--kwok: %w", err)
	}

	mux := http.NewServeMux()
	forward := forwarder{client: client}
	mux.HandleFunc("/portForward/{namespace}/{pod}", forward.serve)
	mux.HandleFunc("/portForward/{namespace}/{pod}/{uid}", forward.serve)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	kwok := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	mux.Handle("GET /containerLogs/{namespace}/{pod}/{container}", logs{client, kwok})
	mux.Handle("/", kwok)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	srv := &http.Server{
		Addr: *listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second,
		// SPDY streams need the connection for themselves: no HTTP/2.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	go func() { <-ctx.Done(); srv.Close() }()
	if err := srv.ListenAndServeTLS(*cert, *key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// forwarder connects port-forward streams to pods' addresses.
type forwarder struct{ client kubernetes.Interface }

func (f forwarder) serve(w http.ResponseWriter, r *http.Request) {
	opts, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name := types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("pod")}.String()
	portforward.ServePortForward(w, r, f, name, r.PathValue("uid"), opts,
		4*time.Hour, 30*time.Second, portforward.SupportedProtocols)
}

// PortForward carries one connection to the pod named "namespace/name". The
// pod's address is read anew each time, since pods are replaced under a name.
func (f forwarder) PortForward(ctx context.Context, name, uid string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	namespace, pod, _ := strings.Cut(name, "/")
	p, err := f.client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if uid != "" && string(p.UID) != uid {
		return fmt.Errorf("pod %s has been replaced", name)
	}
	if p.Status.PodIP == "" {
		return fmt.Errorf("pod %s has no address yet", name)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(p.Status.PodIP, strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer conn.Close()
	return tunnel(conn, stream)
}

// simulated is the label of pods that serve their log at logPort; package
// podsim names both, too.
const (
	simulated = "openecp.io/cluster"
	logPort   = "10255"
)

// logs gives the log of a simulated pod as the pod serves it.
type logs struct {
	client kubernetes.Interface
	kwok   http.Handler // for all others
}

func (l logs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, err := l.client.CoreV1().Pods(r.PathValue("namespace")).Get(r.Context(), r.PathValue("pod"), metav1.GetOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if _, ok := p.Labels[simulated]; !ok || p.Status.PodIP == "" {
		l.kwok.ServeHTTP(w, r)
		return
	}
	pod := &url.URL{Scheme: "http", Host: net.JoinHostPort(p.Status.PodIP, logPort)}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(pod) }, FlushInterval: -1,
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	proxy.ServeHTTP(w, r)
}

// tunnel copies both ways. The client closing its half is passed on as a half
// close, so that a request ended by it still gets its answer; the pod closing
// ends the tunnel.
func tunnel(conn net.Conn, stream io.ReadWriteCloser) error {
	go func() {
		_, _ = io.Copy(conn, stream)
		if c, ok := conn.(*net.TCPConn); ok {
			_ = c.CloseWrite()
		}
	}()
	_, err := io.Copy(stream, conn)
	return err
}
