<?php

use App\OrderPaid;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Route;
use Stork\Stork;

Route::get('/login/{id}', function (int $id) {
    Auth::loginUsingId($id);
    return '<!doctype html><title>orders</title>';
});
Route::post('/pay/{order}', function (int $order) {
    broadcast(new OrderPaid($order, 'Zoë'))->toOthers();
    return 'paid';
});
Route::post('/throw-out/{id}', fn (int $id) => response()->json(Stork::disconnect($id, 'signed out')->complete));
