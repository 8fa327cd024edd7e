// Pushes for each line of stdin, and prints each answer: a pusher whose ZMQ is written in Go, without libzmq.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/go-zeromq/zmq4"
)

func main() {
	dealer := zmq4.NewDealer(context.Background())
	defer dealer.Close()
	if err := dealer.Dial(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := dealer.Send(zmq4.NewMsgString(lines.Text())); err != nil {
			log.Fatal(err)
		}
		answer, err := dealer.Recv()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(answer.Bytes()))
	}
}
