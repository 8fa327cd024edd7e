// Pushes for each line of stdin, and prints each answer: a pusher whose ZMQ speaks ZMTP without libzmq.
use std::io::{self, BufRead, Write};
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::args().nth(1).ok_or("ENDPOINT is missing")?;
    let mut dealer = DealerSocket::new();
    dealer.connect(&endpoint).await?;
    for line in io::stdin().lock().lines() {
        dealer.send(ZmqMessage::from(line?.into_bytes())).await?;
        let answer: Vec<u8> = dealer.recv().await?.try_into().map(|bytes: Vec<u8>| bytes)?;
        println!("{}", String::from_utf8(answer)?);
        io::stdout().flush()?;
    }
    Ok(())
}
