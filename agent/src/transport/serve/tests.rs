use super::*;

#[tokio::test]
async fn endpoints_are_bound_as_users_write_them() {
    for (endpoint, expected) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("localhost:0", "127.0.0.1"),
        ("0.0.0.0:0", "0.0.0.0"),
        (":0", "::"),
    ] {
        let listener = Listener::bind(endpoint, None).await.unwrap();
        assert_eq!(listener.address().ip().to_string(), expected, "{endpoint}");
        assert_ne!(listener.address().port(), 0);
    }
}

#[tokio::test]
async fn an_address_in_use_is_told_with_its_name() {
    let first = Listener::bind("127.0.0.1:0", None).await.unwrap();
    let endpoint = first.address().to_string();
    let error = Listener::bind(&endpoint, None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {endpoint}"));
    assert!(chain(&error).contains("in use"), "{}", chain(&error));
}
