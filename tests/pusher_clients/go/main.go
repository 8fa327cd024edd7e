// Real parts, none of them ours: pusher-http-go as the backend.
//
//	go run . PORT KEY SECRET        ends with 0 if all is as with Pusher
package main

import (
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/pusher/pusher-http-go/v5"
)

func must(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

func check(is bool, what string) {
	if !is {
		log.Output(2, what)
		os.Exit(1)
	}
}

func refused(err error, status string) {
	if err == nil || !strings.Contains(err.Error(), status) {
		log.Output(2, fmt.Sprintf("want a refusal with %s, got %v", status, err))
		os.Exit(1)
	}
}

func main() {
	log.SetFlags(log.Lshortfile)
	port, key, secret := os.Args[1], os.Args[2], os.Args[3]
	client := pusher.Client{AppID: "1", Key: key, Secret: secret, Host: "127.0.0.1:" + port}
	socket, count := "123.456", "subscription_count"

	must(client.Trigger("orders.42", "paid", map[string]string{"name": "Zoë"}))
	must(client.TriggerMulti([]string{"a", "private-b"}, "paid", "plain"))
	must(client.TriggerExclusive("a", "paid", "plain", socket))
	must(client.TriggerMultiExclusive([]string{"a", "b"}, "paid", "plain", socket))
	must(client.SendToUser("ann", "hello", map[string]int{"x": 1}))
	hundred := make([]string, 100)
	for number := range hundred {
		hundred[number] = fmt.Sprintf("c%d", number)
	}
	must(client.TriggerMulti(hundred, "paid", map[string]string{}))

	told, err := client.TriggerWithParams("a", "paid", "plain", pusher.TriggerParams{SocketID: &socket, Info: &count})
	must(err)
	check(*told.Channels["a"].SubscriptionCount == 0, "the count of a channel without subscribers")
	_, err = client.TriggerMultiWithParams([]string{"a", "b"}, "paid", "plain", pusher.TriggerParams{Info: &count})
	must(err)
	batch, err := client.TriggerBatch([]pusher.Event{
		{Channel: "a", Name: "n", Data: map[string]int{"k": 1}, Info: &count},
		{Channel: "b", Name: "n", Data: "plain", SocketID: &socket},
	})
	must(err)
	check(len(batch.Batch) == 2 && *batch.Batch[0].SubscriptionCount == 0, "the answer to a batch")

	prefix := "nothing-"
	channels, err := client.Channels(pusher.ChannelsParams{FilterByPrefix: &prefix})
	must(err)
	check(channels.Channels != nil && len(channels.Channels) == 0, "no channels")
	channel, err := client.Channel("nobody", pusher.ChannelParams{Info: &count})
	must(err)
	check(!channel.Occupied && channel.SubscriptionCount == 0, "a channel without subscribers")
	users, err := client.GetChannelUsers("presence-nobody")
	must(err)
	check(len(users.List) == 0, "a channel without members")

	encrypting := client
	encrypting.EncryptionMasterKeyBase64 = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("7", 32)))
	must(encrypting.Trigger("private-encrypted-a", "note", map[string]int{"secret": 7}))

	refused(client.Trigger("a", "pusher:x", "plain"), "400")
	_, err = client.GetChannelUsers("private-a")
	refused(err, "400")
	liar := client
	liar.Secret = "another"
	refused(liar.Trigger("a", "b", "plain"), "401")
	stranger := client
	stranger.AppID = "9"
	refused(stranger.Trigger("a", "b", "plain"), "404")
	fmt.Println("ok")
}
