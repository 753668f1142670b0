// Package queue takes notifications of new objects from a queue of Amazon SQS.
package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/trailql/trailql/catalog/compact"
)

// Options say how a queue is reached and listened to; zero fields take defaults.
type Options struct {
	Profile, Region, Role string            // of the AWS configuration; the role is assumed first
	Sources               []string          // URLs that objects are expected below: what is elsewhere is reported, once for each bucket
	Report                func(text string) // told of what is left in the queue or elsewhere

	Visibility time.Duration // how long a message is held before its hold is renewed, twice as often: 5 minutes
	Hold       time.Duration // how long in all: 2 hours
	Wait       time.Duration // of a long poll: 20 s
	Now        func() time.Time
}

const (
	batch    = 10     // messages a request, as SQS has it
	mostTold = 10_000 // of messages and buckets that are reported only once
	deletes  = 3      // attempts
)

// Queue gives hints out of the messages of one queue. A message is deleted when all its objects are done, and held until then; one that nobody
// understands is left to the queue's redrive policy. Any goroutine may call its methods.
type Queue struct {
	client *sqs.Client
	url    string
	opt    Options
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu   sync.Mutex
	last int64              // number of the newest message
	held map[int64]*message // given out and not done
	told map[string]bool
}

// message is one that was received; its hints carry it.
type message struct {
	number     int64
	id, handle string
	left       int // hints that are not done
	since      time.Time
}

// Open makes sure that the queue at a URL can be read. Close lets go of it.
func Open(ctx context.Context, address string, opt Options) (*Queue, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Path == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("queue %q: write its URL, like https://sqs.eu-west-1.amazonaws.com/111122223333/trail", address)
	}
	var load []func(*config.LoadOptions) error
	if opt.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(opt.Profile))
	}
	region := opt.Region
	amazons := strings.HasSuffix(u.Hostname(), ".amazonaws.com") || strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn")
	if parts := strings.Split(u.Hostname(), "."); amazons && parts[0] == "sqs" {
		region = parts[1]
	}
	if region != "" {
		load = append(load, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if opt.Role != "" {
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), opt.Role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "trailql"
		}))
	}
	client := sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		if !amazons { // a queue of another maker is where its URL says
			o.BaseEndpoint = aws.String(u.Scheme + "://" + u.Host)
		}
	})
	q := newQueue(client, address, opt)
	attributes, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameRedrivePolicy}})
	switch {
	case err != nil:
		return nil, fmt.Errorf("queue %s: %w; it takes sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes", address, err)
	case attributes.Attributes[string(types.QueueAttributeNameRedrivePolicy)] == "":
		q.tell("", "the queue has no dead-letter queue: messages that are no notifications come again until they expire")
	}
	var held context.Context
	held, q.stop = context.WithCancel(context.WithoutCancel(ctx)) // while the last commit is made, too
	q.ended.Go(func() {
		ticker := time.NewTicker(q.opt.Visibility / 2)
		defer ticker.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-ticker.C:
				if err := q.renew(held); err != nil && held.Err() == nil {
					q.tell("renew", fmt.Sprintf("messages could not be held; they may come twice, which does no harm: %v", err))
				}
			}
		}
	})
	return q, nil
}

func newQueue(client *sqs.Client, address string, opt Options) *Queue {
	if opt.Visibility <= 0 {
		opt.Visibility = 5 * time.Minute
	}
	if opt.Hold <= 0 {
		opt.Hold = 2 * time.Hour
	}
	if opt.Wait <= 0 {
		opt.Wait = 20 * time.Second
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Queue{client: client, url: address, opt: opt, held: map[int64]*message{}, told: map[string]bool{}}
}

// Close stops holding messages: those that were not done come again.
func (q *Queue) Close() {
	if q.stop != nil {
		q.stop()
	}
	q.ended.Wait()
}

// Next waits for messages and returns what they name.
func (q *Queue) Next(ctx context.Context) ([]compact.Hint, error) {
	now := q.opt.Now()
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: batch, WaitTimeSeconds: int32(q.opt.Wait / time.Second), VisibilityTimeout: int32(q.opt.Visibility / time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("receive from %s: %w", q.url, err)
	}
	var hints []compact.Hint
	var idle []*message
	for _, in := range out.Messages {
		m := &message{id: aws.ToString(in.MessageId), handle: aws.ToString(in.ReceiptHandle), since: now}
		named, err := parse(aws.ToString(in.Body))
		switch {
		case err != nil:
			q.tell("message "+m.id, fmt.Sprintf("message %s is left in the queue: %v", m.id, err))
			continue
		case len(named) == 0:
			idle = append(idle, m)
			continue
		}
		m.left = len(named)
		q.mu.Lock()
		q.last++
		m.number = q.last
		q.held[m.number] = m
		q.mu.Unlock()
		for _, h := range named {
			if !q.expected(h) {
				q.tell("bucket "+h.Bucket, fmt.Sprintf("s3://%s/%s is in none of the sources; of this bucket's objects no more is said", h.Bucket, h.Key))
			}
			h.Message = m
			hints = append(hints, h)
		}
	}
	return hints, q.delete(ctx, idle)
}

func (q *Queue) expected(h compact.Hint) bool {
	name := "s3://" + h.Bucket + "/" + h.Key
	for _, s := range q.opt.Sources {
		if strings.HasPrefix(name, strings.TrimSuffix(s, "/")+"/") {
			return true
		}
	}
	return len(q.opt.Sources) == 0
}

// Done deletes the messages all of whose hints are done by now. Hints come back in the order in which they were given: a message before
// them that is not done will not be, and is let go.
func (q *Queue) Done(ctx context.Context, hints []compact.Hint) error {
	var done []*message
	q.mu.Lock()
	newest := int64(0)
	for _, h := range hints {
		m := h.Message.(*message)
		newest = max(newest, m.number)
		if m.left--; m.left == 0 {
			done = append(done, m)
			delete(q.held, m.number)
		}
	}
	for number := range q.held {
		if number <= newest {
			delete(q.held, number)
		}
	}
	q.mu.Unlock()
	return q.delete(ctx, done)
}

// delete deletes messages; what was refused for reasons of the service is tried again.
func (q *Queue) delete(ctx context.Context, list []*message) error {
	for try := 1; len(list) > 0; try++ {
		var failed []*message
		var why error
		for from := 0; from < len(list); from += batch {
			some := list[from:min(from+batch, len(list))]
			in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.url}
			for i, m := range some {
				in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &m.handle})
			}
			out, err := q.client.DeleteMessageBatch(ctx, in)
			if err != nil {
				return fmt.Errorf("delete from %s: %w", q.url, err)
			}
			for _, f := range out.Failed {
				if i, err := strconv.Atoi(aws.ToString(f.Id)); err == nil && i >= 0 && i < len(some) && !f.SenderFault {
					failed = append(failed, some[i]) // a handle that is no good any more: the message is coming again
				}
				why = errors.New(aws.ToString(f.Code) + ": " + aws.ToString(f.Message))
			}
		}
		if list = failed; try == deletes && len(failed) > 0 {
			return fmt.Errorf("delete from %s: %w", q.url, why)
		}
	}
	return nil
}

// renew holds the messages at hand for longer.
func (q *Queue) renew(ctx context.Context) error {
	now := q.opt.Now()
	var list []*message
	q.mu.Lock()
	for number, m := range q.held {
		if now.Sub(m.since) > q.opt.Hold {
			delete(q.held, number) // its object cannot be read, or whoever asked has forgotten it
			continue
		}
		list = append(list, m)
	}
	q.mu.Unlock()
	for from := 0; from < len(list); from += batch {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url}
		for i, m := range list[from:min(from+batch, len(list))] {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &m.handle, VisibilityTimeout: int32(q.opt.Visibility / time.Second),
			})
		}
		if _, err := q.client.ChangeMessageVisibilityBatch(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// tell reports something, the same only once.
func (q *Queue) tell(key, text string) {
	q.mu.Lock()
	known := q.told[key]
	if len(q.told) >= mostTold {
		clear(q.told)
	}
	q.told[key] = true
	q.mu.Unlock()
	if !known && q.opt.Report != nil {
		q.opt.Report(text)
	}
}
