package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/external"
	"github.com/trailql/trailql/connectors/rest"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/report"
	"github.com/trailql/trailql/engine/service"
)

func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "answer queries over HTTP, and run reports by the calendar",
		Long: `Serves the query endpoint over a lake: JSON, NDJSON, CSV and Arrow results, pages, progress, cancel, history.
Every query sees the newest snapshot; a compactor may run beside. Reports that are scheduled in the state folder
(trailql report schedule) run here too.

  trailql serve --lake ./lake
  curl -H "Authorization: Bearer $(cat ~/.local/state/trailql/token)" -H "Content-Type: application/json" \
       -d '{"sql": "SELECT count(*) FROM cloudtrail_logs"}' http://127.0.0.1:8765/api/v1/queries

The token is made at the first start and kept in the state folder. The first signal stops the server gracefully, within 10 s; the second at once.`,
		Args: arguments(0, 0),
	}
	s := server{grace: 10 * time.Second}
	lake, state, roots := lakeFlag(c), stateFlag(c), rootsFlag(c)
	flags := c.Flags()
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8765", "`address` and port")
	flags.StringVar(&s.tokenFile, "token-file", "", "`file` with the token that clients must show; made if missing (default: token in the state folder)")
	flags.StringArrayVar(&s.hosts, "host", nil, "a `name` by which clients call this server, beside localhost and the address it listens on; may be repeated")
	flags.StringVar(&s.cert, "tls-cert", "", "certificate `file`, for https")
	flags.StringVar(&s.key, "tls-key", "", "key `file` of the certificate")
	flags.BoolVar(&s.insecure, "insecure", false, "listen beyond this machine without TLS: right only behind a proxy that ends TLS")
	flags.IntVar(&s.limits.Concurrent, "max-running", 4, "queries that run at once; others wait")
	var maxBytes byteSize
	flags.Var(&maxBytes, "max-bytes", "compressed bytes that a query may read from the lake; none given: no limit")
	flags.Int64Var(&s.limits.Rows, "max-rows", 0, "rows that a result may have; 0: no limit")
	flags.DurationVar(&s.limits.Time, "max-time", 30*time.Minute, "time that a query may run")
	flags.DurationVar(&s.limits.Keep, "keep", 24*time.Hour, "time that results are kept")
	flags.BoolVar(&s.define, "allow-ddl", false, "let statements define views and tables, and write files under the roots")
	memory := memoryFlag(c, 2<<30)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if s.limits.Concurrent < 1 || s.limits.Rows < 0 || s.limits.Time <= 0 || s.limits.Keep <= 0 {
			return usage("--max-running, --max-time and --keep must be more than nothing, --max-rows not less")
		}
		if err := s.checkAddress(); err != nil {
			return err
		}
		if err := memory.bound(); err != nil {
			return err
		}
		var err error
		if s.roots, err = openRoots(*roots, *lake); err != nil {
			return err
		}
		s.lake, s.state, s.log = *lake, *state, log.New(c.ErrOrStderr(), "trailql: ", 0)
		s.limits.Bytes = int64(maxBytes)
		s.limits.Memory, s.covering = shares(memory.queries(), s.limits.Concurrent)
		return s.run(c.Context())
	}
	return c
}

// server is the serve command.
type server struct {
	lake, state, listen string
	tokenFile           string
	hosts               []string
	cert, key           string
	insecure            bool
	define              bool // statements may define and write
	roots               external.Roots
	limits              service.Limits
	covering            int64         // bytes of memory for the coverage of reports
	grace               time.Duration // that requests and queries have to end once the server is told to stop
	log                 *log.Logger
}

// checkAddress refuses to carry tokens and results readable over a network.
func (s *server) checkAddress() error {
	host, _, err := net.SplitHostPort(s.listen)
	if err != nil {
		return usage("--listen %q is no address and port; write it like 127.0.0.1:8765", s.listen)
	}
	if (s.cert == "") != (s.key == "") {
		return usage("--tls-cert and --tls-key go together")
	}
	ip := net.ParseIP(host)
	if s.cert == "" && !s.insecure && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return usage("--listen %s can be reached from other machines, and without TLS the token and the results would travel readable; "+
			"give --tls-cert and --tls-key, or --insecure behind a proxy that ends TLS", s.listen)
	}
	return nil
}

// run serves until ctx ends, then stops gracefully.
func (s *server) run(ctx context.Context) (err error) {
	l, err := openLakeWith(ctx, s.lake, catalog.Options{Define: s.define, Roots: s.roots})
	if err != nil {
		return err
	}
	defer l.Close()
	if err := os.MkdirAll(s.state, 0o700); err != nil {
		return fmt.Errorf("making the state folder: %w", err)
	}
	tokenFile := cmp.Or(s.tokenFile, filepath.Join(s.state, "token"))
	token, err := readToken(tokenFile)
	if err != nil {
		return err
	}
	lakePath, err := lakeName(s.lake)
	if err != nil {
		return fmt.Errorf("opening the lake: %w", err)
	}
	runs, err := report.OpenStore(ctx, s.state)
	if err != nil {
		return err
	}
	defer runs.Close()
	queries, err := service.Open(ctx, service.Config{
		Catalog: l, Lake: lakePath, State: filepath.Join(s.state, "serve"), Tables: []service.Table{report.Table(s.state)}, Limits: s.limits,
		Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	listener, scheme, err := s.open(ctx)
	if err != nil {
		return errors.Join(err, queries.Close(ctx))
	}

	requests, cutRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer cutRequests()
	if host, _, _ := net.SplitHostPort(s.listen); !net.ParseIP(host).IsUnspecified() { // every address is no name
		s.hosts = append(s.hosts, host)
	}
	endpoint := rest.Server(rest.Handler(rest.Config{
		Service: queries, Token: token, Hosts: s.hosts, Version: engine.Version(), Now: time.Now, Log: s.log,
	}), s.log)
	endpoint.BaseContext = func(net.Listener) context.Context { return requests }
	failed := make(chan error, 1)
	go func() { failed <- endpoint.Serve(listener) }()

	schedules := newScheduler(runs, &report.Runner{Service: queries, Covered: coverage(l, s.covering), Lake: lakePath, Version: engine.Version()}, s.log.Printf)
	running, stop := context.WithCancel(ctx)
	defer stop()
	var scheduling sync.WaitGroup
	scheduling.Go(func() {
		if err := schedules.Run(running); err != nil {
			s.log.Printf("no schedule runs any more: %v", err)
		}
	})

	s.greet(scheme+"://"+listener.Addr().String(), tokenFile)
	select {
	case err = <-failed:
		err = fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
		s.log.Print("stopping")
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
	defer cancel()
	if endpoint.Shutdown(grace) != nil {
		cutRequests()
		err = cmp.Or(err, endpoint.Close())
	}
	stop()
	scheduling.Wait() // a report under way reads its rows from queries
	return errors.Join(err, queries.Close(grace))
}

// open begins to listen.
func (s *server) open(ctx context.Context) (l net.Listener, scheme string, err error) {
	scheme = "http"
	var config *tls.Config
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, "", fmt.Errorf("reading the certificate: %w", err)
		}
		scheme = "https"
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	if l, err = new(net.ListenConfig).Listen(ctx, "tcp", s.listen); err != nil {
		return nil, "", fmt.Errorf("listening: %w", err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, scheme, nil
}

// greet says where the server is and how to ask it.
func (s *server) greet(address, tokenFile string) {
	s.log.Printf("serving %s at %s; the token is in %s", s.lake, address, tokenFile)
	s.log.Printf(`ask: curl -sS -H "Authorization: Bearer $(cat '%s')" -H 'Content-Type: application/json' -d '{"sql": "SHOW TABLES"}' %s/api/v1/queries`,
		tokenFile, address)
}

// readToken reads the token, or makes a file with a new one of 256 bits that only its owner may read.
func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		text = []byte(hex.EncodeToString(secret) + "\n")
		err = createFile(file, text)
	}
	if err != nil {
		return "", fmt.Errorf("the token: %w", err)
	}
	token := string(bytes.TrimSpace(text))
	if len(token) < 32 {
		return "", fmt.Errorf("the token in %s has fewer than 32 characters and could be guessed; delete the file and a new one is made", file)
	}
	return token, nil
}

func createFile(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
