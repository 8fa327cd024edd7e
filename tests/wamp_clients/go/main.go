package main

// What nexus' client sees of each feature that WELCOME announces, as a backend: one line of JSON for each.
// Arguments: the address of the WebSocket, and CROSSBAR_BACKEND_SECRET. Ends with 1 if one does not work.
import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
	"github.com/gammazero/nexus/v3/wamp/crsign"
)

var failed bool

func say(name string, ok bool, what ...interface{}) {
	if !ok {
		failed = true
	}
	out, _ := json.Marshal(map[string]interface{}{"feature": name, "ok": ok, "saw": fmt.Sprint(what...)})
	fmt.Println(string(out))
}

func connect(url, secret string, s serialize.Serialization) *client.Client {
	cfg := client.Config{
		Realm: "realm1", Serialization: s, ResponseTimeout: 20 * time.Second,
		HelloDetails: wamp.Dict{"authid": "backend"},
		AuthHandlers: map[string]client.AuthFunc{"wampcra": func(c *wamp.Challenge) (string, wamp.Dict) {
			return crsign.RespondChallenge(secret, c, nil), wamp.Dict{}
		}},
		Logger: log.New(os.Stderr, "", 0),
	}
	c, err := client.ConnectNet(context.Background(), url, cfg)
	if err != nil {
		say("join", false, err)
		os.Exit(1)
	}
	return c
}

func main() {
	url, secret := os.Args[1], os.Args[2]
	for name, s := range map[string]serialize.Serialization{"json": serialize.JSON, "msgpack": serialize.MSGPACK, "cbor": serialize.CBOR} {
		a, b := connect(url, secret, s), connect(url, secret, s)
		probe(name, a, b)
		a.Close()
		b.Close()
	}
	if failed {
		os.Exit(1)
	}
}

func wait(ch chan string) string {
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		return "nothing in 10 s"
	}
}

func probe(name string, a, b *client.Client) {
	ctx := context.Background()
	p := func(f string) string { return name + ": " + f }
	details, _ := json.Marshal(a.RealmDetails()["roles"])
	if name == "json" {
		say(p("roles"), true, string(details))
	}
	// calls
	err := b.Register("io.example.nexus.add", func(_ context.Context, inv *wamp.Invocation) client.InvokeResult {
		x, _ := wamp.AsInt64(inv.Arguments[0])
		return client.InvokeResult{Args: wamp.List{x + 1}, Kwargs: wamp.Dict{"who": inv.Details["caller"]}}
	}, nil)
	say(p("register"), err == nil, err)
	res, err := a.Call(ctx, "io.example.nexus.add", nil, wamp.List{41}, nil, nil)
	ok := err == nil
	if ok {
		n, _ := wamp.AsInt64(res.Arguments[0])
		ok = n == 42
	}
	say(p("call"), ok, err)
	// progressive results
	err = b.Register("io.example.nexus.progress", func(ctx context.Context, inv *wamp.Invocation) client.InvokeResult {
		for i := 0; i < 3; i++ {
			if err := b.SendProgress(ctx, wamp.List{i}, nil); err != nil {
				return client.InvokeResult{Err: "io.example.no_progress"}
			}
		}
		return client.InvokeResult{Args: wamp.List{"end"}}
	}, nil)
	got := 0
	res, err = a.Call(ctx, "io.example.nexus.progress", nil, nil, nil, func(*wamp.Result) { got++ })
	say(p("progressive_call_results"), err == nil && got == 3 && res.Arguments[0] == "end", err, got)
	// cancel
	interrupted := make(chan string, 10)
	err = b.Register("io.example.nexus.slow", func(ctx context.Context, inv *wamp.Invocation) client.InvokeResult {
		select {
		case <-ctx.Done():
			interrupted <- "interrupted"
			return client.InvocationCanceled
		case <-time.After(15 * time.Second):
			interrupted <- "not interrupted"
			return client.InvokeResult{Args: wamp.List{"late"}}
		}
	}, nil)
	for _, mode := range []string{"kill", "killnowait", "skip"} {
		a.SetCallCancelMode(mode)
		short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		began := time.Now()
		_, err = a.Call(short, "io.example.nexus.slow", nil, nil, nil, nil)
		stop()
		took := time.Since(began)
		say(p("call_canceling "+mode), err != nil && took < 8*time.Second, err, " after ", took.Round(time.Millisecond*100))
		if mode != "skip" {
			saw := wait(interrupted)
			say(p("interrupt "+mode), saw == "interrupted", saw)
		}
	}
	// time-out by the router
	began := time.Now()
	_, err = a.Call(ctx, "io.example.nexus.slow", wamp.Dict{"timeout": 500}, nil, nil, nil)
	took := time.Since(began)
	say(p("call_timeout announced="+fmt.Sprint(a.HasFeature("dealer", "call_timeout"))), !a.HasFeature("dealer", "call_timeout") || (err != nil && took < 8*time.Second), err, " after ", took.Round(time.Millisecond*100))
	// events
	events := make(chan string, 100)
	note := func(what string) client.EventHandler {
		return func(e *wamp.Event) { events <- fmt.Sprint(what, " ", e.Arguments) }
	}
	ack := wamp.Dict{"acknowledge": true}
	err = b.Subscribe("io.example.nexus.topic", note("exact"), nil)
	err2 := b.Subscribe("io.example.nexus", note("prefix"), wamp.Dict{"match": "prefix"})
	err3 := b.Subscribe("io.example..topic", note("wildcard"), wamp.Dict{"match": "wildcard"})
	say(p("subscribe"), err == nil && err2 == nil && err3 == nil, err, err2, err3)
	say(p("publish"), a.Publish("io.example.nexus.topic", ack, wamp.List{1}, nil) == nil)
	seen := map[string]bool{wait(events): true, wait(events): true, wait(events): true}
	say(p("pattern_based_subscription"), seen["exact [1]"] && seen["prefix [1]"] && seen["wildcard [1]"], seen)
	b.Unsubscribe("io.example.nexus")
	b.Unsubscribe("io.example..topic")
	// exclusion, and lists
	a.Subscribe("io.example.nexus.topic", note("own"), nil)
	a.Publish("io.example.nexus.topic", ack, wamp.List{2}, nil)
	a.Publish("io.example.nexus.topic", wamp.Dict{"acknowledge": true, "exclude": wamp.List{b.ID()}, "exclude_me": false}, wamp.List{3}, nil)
	a.Publish("io.example.nexus.topic", wamp.Dict{"acknowledge": true, "eligible": wamp.List{b.ID()}}, wamp.List{4}, nil)
	all := []string{wait(events), wait(events), wait(events)}
	want := map[string]bool{"exact [2]": true, "own [3]": true, "exact [4]": true}
	fine := true
	for _, each := range all {
		fine = fine && want[each]
	}
	say(p("publisher_exclusion, subscriber_blackwhite_listing"), fine, all)
	// meta
	res, err = a.Call(ctx, "wamp.session.count", nil, nil, nil, nil)
	say(p("session_meta_api"), err == nil, err)
	res, err = a.Call(ctx, "wamp.subscription.list", nil, nil, nil, nil)
	say(p("subscription_meta_api"), err == nil, err)
	res, err = a.Call(ctx, "wamp.registration.lookup", nil, wamp.List{"io.example.nexus.add"}, nil, nil)
	ok = err == nil
	if ok {
		id, _ := wamp.AsID(res.Arguments[0])
		mine, _ := b.RegistrationID("io.example.nexus.add")
		ok = id == mine
	}
	say(p("registration_meta_api"), ok, err)
	// pattern and shared registrations
	err = b.Register("io.example.nexus.wild", func(_ context.Context, inv *wamp.Invocation) client.InvokeResult {
		return client.InvokeResult{Args: wamp.List{inv.Details["procedure"]}}
	}, wamp.Dict{"match": "prefix"})
	res, err2 = a.Call(ctx, "io.example.nexus.wild.card", nil, nil, nil, nil)
	ok = err == nil && err2 == nil && res.Arguments[0] == "io.example.nexus.wild.card"
	say(p("pattern_based_registration"), ok, err, err2)
	shared := func(n string) client.InvocationHandler {
		return func(context.Context, *wamp.Invocation) client.InvokeResult {
			return client.InvokeResult{Args: wamp.List{n}}
		}
	}
	err = a.Register("io.example.nexus.shared", shared("a"), wamp.Dict{"invoke": "roundrobin"})
	err2 = b.Register("io.example.nexus.shared", shared("b"), wamp.Dict{"invoke": "roundrobin"})
	who := map[interface{}]bool{}
	for i := 0; i < 4; i++ {
		if res, err3 = a.Call(ctx, "io.example.nexus.shared", nil, nil, nil, nil); err3 == nil {
			who[res.Arguments[0]] = true
		}
	}
	say(p("shared_registration"), err == nil && err2 == nil && len(who) == 2, err, err2, err3, who)
	say(p("ping"), a.Connected() && b.Connected())
}
