// Package sqsserver is a small queue service for tests: it speaks the JSON protocol of Amazon SQS, and its clock is the test's.
package sqsserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server has one queue. Messages that were received are hidden until their time is over; each reception has its own handle, and the newest
// alone is good.
type Server struct {
	URL string // of the queue

	mu       sync.Mutex
	now      time.Time
	messages []*message
	handles  int
	calls    []string
	fault    func(action string, id int) string
}

type message struct {
	id       int
	body     string
	handle   string
	until    time.Time
	received int
}

// Start starts one with credentials for whoever asks; it ends with the test.
func Start(t testing.TB) *Server {
	s := &Server{now: time.Unix(1_700_000_000, 0)}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.URL = server.URL + "/111122223333/trail"
	return s
}

// Fail calls f before each action, and with the number of each message that it is about, from 1 on; what f returns but "" is the error's
// code. id is 0 for the request as a whole.
func (s *Server) Fail(f func(action string, id int) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Advance moves the clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Send puts a message into the queue.
func (s *Server) Send(body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handles++
	s.messages = append(s.messages, &message{id: s.handles, body: body})
}

// Left returns the bodies of the messages in the queue, hidden or not.
func (s *Server) Left() (bodies []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		bodies = append(bodies, m.body)
	}
	return bodies
}

// Calls returns the actions so far.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

type request struct {
	MaxNumberOfMessages int
	VisibilityTimeout   int
	Entries             []struct {
		Id, ReceiptHandle string
		VisibilityTimeout int
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, action)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if code := s.fails(action, 0); code != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"made to fail"}`, code)
		return
	}
	type entry = map[string]any
	out := entry{}
	switch action {
	case "GetQueueAttributes":
		out["Attributes"] = entry{"RedrivePolicy": "{}"}
	case "ReceiveMessage":
		var list []entry
		for _, m := range s.messages {
			if len(list) == max(in.MaxNumberOfMessages, 1) || m.until.After(s.now) {
				continue
			}
			s.handles++
			m.handle = fmt.Sprintf("h%d", s.handles)
			m.until = s.now.Add(time.Duration(in.VisibilityTimeout) * time.Second)
			m.received++
			list = append(list, entry{"MessageId": fmt.Sprintf("m%d", m.id), "ReceiptHandle": m.handle, "Body": m.body})
		}
		out["Messages"] = list
	case "DeleteMessageBatch", "ChangeMessageVisibilityBatch":
		var good, bad []entry
		for _, e := range in.Entries {
			at := -1
			for i, m := range s.messages {
				if m.handle == e.ReceiptHandle {
					at = i
				}
			}
			switch {
			case at < 0:
				bad = append(bad, entry{"Id": e.Id, "Code": "ReceiptHandleIsInvalid", "SenderFault": true})
				continue
			case s.fails(action, s.messages[at].id) != "":
				bad = append(bad, entry{"Id": e.Id, "Code": s.fails(action, s.messages[at].id), "SenderFault": false})
				continue
			case action == "DeleteMessageBatch":
				s.messages = append(s.messages[:at], s.messages[at+1:]...)
			default:
				s.messages[at].until = s.now.Add(time.Duration(e.VisibilityTimeout) * time.Second)
			}
			good = append(good, entry{"Id": e.Id})
		}
		out["Successful"], out["Failed"] = good, bad
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"com.amazonaws.sqs#UnsupportedOperation"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (s *Server) fails(action string, id int) string {
	if s.fault == nil {
		return ""
	}
	return s.fault(action, id)
}
