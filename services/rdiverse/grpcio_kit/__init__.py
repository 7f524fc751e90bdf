"""What every gRPC server and client of rdiverse shares."""
